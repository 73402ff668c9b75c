export const loadCatalog = async (_root: string): Promise<never[]> => []
