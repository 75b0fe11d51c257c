import SecretFiles

/// A secret that says who a client is. It never shows in a description.
public struct BudgetClientToken: Hashable, Sendable, CustomStringConvertible,
  CustomDebugStringConvertible
{
  private enum Source: Hashable {
    case text(String)
    case file(String)
  }

  private let source: Source

  /// The token itself.
  public static func text(_ token: String) -> BudgetClientToken {
    BudgetClientToken(source: .text(token))
  }

  /// The first line of a file, read again for each connection: a token that was changed there is shown
  /// from the next one on. A file that everybody may read or change is refused.
  public static func file(_ path: String) -> BudgetClientToken {
    BudgetClientToken(source: .file(path))
  }

  /// Its source, never itself.
  public var description: String {
    switch source {
    case .text: "a token"
    case .file(let path): "the token in \(path)"
    }
  }

  /// As `description`.
  public var debugDescription: String { description }

  /// The token now.
  package func revealed() throws(BudgetClientError) -> String {
    do throws(BudgetClientTokenFault) {
      return try read()
    } catch {
      throw .notApplied(.unusableToken("the token file \(error.path): \(error.why)"))
    }
  }

  func read() throws(BudgetClientTokenFault) -> String {
    switch source {
    case .text(let token): return token
    case .file(let path):
      do throws(SecretFileError) {
        return try SecretFile.line(path: path, what: "token")
      } catch {
        throw BudgetClientTokenFault(path: path, why: error.message)
      }
    }
  }
}

/// Why a token's file is not taken, in words that do not show the token.
struct BudgetClientTokenFault: Error {
  let path: String
  let why: String

  /// In the words of all clients.
  var description: String {
    if why.hasPrefix("it is empty") { return "the token file \(path) is empty" }
    let lead = "the file cannot be read: "
    let reason = why.hasPrefix(lead) ? why.dropFirst(lead.count) : why[...]
    return "the token file \(path) cannot be read: \(reason)"
  }
}
