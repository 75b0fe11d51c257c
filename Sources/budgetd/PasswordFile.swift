import BudgetServer
import LiteLLMConfig
import SecretFiles

/// A file that holds one password: its first line.
enum PasswordFile {
  /// The password in the file at `path`, which the option `name` names. Refuses files that everybody
  /// may read or change.
  static func password(path: String, option name: String) throws(ServerError) -> RedisSecret {
    do throws(SecretFileError) {
      return RedisSecret(try SecretFile.line(path: path, what: "password"))
    } catch {
      throw .usage("--\(name) \(path): \(error)")
    }
  }
}
