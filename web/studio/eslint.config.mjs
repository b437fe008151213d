import js from '@eslint/js';
import globals from 'globals';
import ts from 'typescript-eslint';

export default ts.config(
  {ignores: ['dist', 'node_modules']},
  js.configs.recommended,
  ...ts.configs.recommended,
  {
    languageOptions: {globals: {...globals.browser}},
    rules: {
      'prefer-const': 'error',
      'no-var': 'error',
      eqeqeq: 'error',
      '@typescript-eslint/no-unused-vars': ['error', {argsIgnorePattern: '^_'}],
    },
  },
  {
    files: ['test/**', '*.mjs'],
    languageOptions: {globals: {...globals.node, ...globals.browser}},
  },
);
