/** What the codes of `warning` events mean, for those who read them; the sentence in the event says which model or part. */
export const WARNINGS: Readonly<Record<string, string>> = {
  confidence_unknown:
    'A confidence could not be told: the model names no alternatives to its tokens.',
  degraded_capability: 'The model does by emulation what the strategy needs.',
  degraded_continuation: 'A text is continued in a new turn and may repeat or skip some of it.',
  emulated_response_format: 'The model is asked for the form in words and may miss it.',
  emulated_samples: 'Each sample is a call of its own, and the prompt is paid for each.',
  emulated_stop_kept: 'A stop string was put back without knowing for sure that it was met.',
  generic_graph:
    'The model is an ONNX export, which runs several times slower than safetensors or GGUF.',
  hidden_images: 'A reviewer or judge works without the images of the question.',
  ignored_sampling: 'A wish for the sampling is not known to the upstream and was left out.',
  judge_retried: 'A verdict could not be read at first; the second one counts.',
  judge_unreadable: 'A judge gave no verdict that can be read, twice: there is no score.',
  likelihood_unreadable:
    'The model gave no number for the likelihood of a text: there is no score.',
  misshapen_answer: 'The answer of the run lacks the form that was asked for.',
  no_steps: 'A text without steps has no score of its steps.',
  no_votes: 'No sample has an answer to vote by; the first one is returned.',
  nothing_to_run: 'A text holds nothing that can be computed or run: there is no score.',
  outcome_unreadable: 'A reward model gave no number: there is no score.',
  paraphrase_unfit: 'A paraphrase was lost or left out a number; the question itself is asked.',
  program_failed: 'The program of an answer ended with an error, and scores 0.',
  schema_not_held: 'Part of a schema cannot be held to while a text is written.',
  steps_unreadable: 'There is no readable score for each step of a text.',
  tool_call_malformed: 'A tool call cannot be read and is left in the text.',
  unfinished_thinking:
    'The tokens of a role ended before its thinking did; it counts as not asked.',
}

/** As documentation: one line for each code. */
export const describeWarnings = (): string =>
  [
    'The run goes on. A code of an error says why a call or a score is missing; the others are:',
    ...Object.entries(WARNINGS).map(([code, meaning]) => `- \`${code}\`: ${meaning}`),
  ].join('\n')
