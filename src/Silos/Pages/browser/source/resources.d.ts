declare module '*.resx' {
  /** The texts of the file by name. */
  const words: Readonly<Record<string, string>>
  export default words
}
