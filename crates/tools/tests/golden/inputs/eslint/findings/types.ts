export const twice = (n: number): number => { const m = 1; return n * 2; };
