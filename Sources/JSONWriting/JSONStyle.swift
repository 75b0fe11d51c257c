/// How JSON is spelled where it leaves a choice. All styles mean the same; each is what readers of
/// one output know.
public struct JSONStyle: Sendable {
  /// How numbers with decimals are written.
  enum Numbers {
    /// As Python does: `1.0`, `1e-05`.
    case python
    /// Without decimals where there are none: `1`.
    case shortest
  }

  let comma: String
  let colon: String
  let numbers: Numbers
  /// Whether line feeds, returns and tabs are `\n`, `\r` and `\t`.
  let hasShortEscapes: Bool
  /// Whether U+007F to U+009F are escaped, which steer terminals.
  let escapesUpperControls: Bool

  /// Pages and traces: no blanks, numbers as Python writes them.
  public static let page = JSONStyle(
    comma: ",", colon: ":", numbers: .python, hasShortEscapes: true, escapesUpperControls: false)

  /// The style of command lines' output: no blanks, the shortest numbers.
  public static let commandLine = JSONStyle(
    comma: ",", colon: ":", numbers: .shortest, hasShortEscapes: false,
    escapesUpperControls: true)

  /// As Python's `json.dumps` spaces it, fit for a terminal.
  public static let python = JSONStyle(
    comma: ", ", colon: ": ", numbers: .python, hasShortEscapes: true, escapesUpperControls: true)
}
