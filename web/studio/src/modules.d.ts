// Modules that build.mjs makes.
declare module 'worker:*' {
  const source: string;
  export default source;
}
declare module 'base64:*' {
  const base64: string;
  export default base64;
}
