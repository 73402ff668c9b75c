"""Pebble: problems, roles, tokenizer, model and sampling of the embedded model."""
