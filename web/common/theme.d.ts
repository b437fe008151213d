export interface PageTheme {
  isDark(): boolean;
  onTheme(draw: () => void): () => void;
  switchTheme(): void;
}
export function pageTheme(key: string): PageTheme;
