import Foundation

/// The files that configurations are read from.
public enum ConfigFile {
  /// The bytes of the file at `path`; a file that cannot be read is one problem that says why.
  public static func bytes(path: String) throws(ConfigError) -> [UInt8] {
    do {
      return Array(try Data(contentsOf: URL(filePath: path)))
    } catch {
      let reason = (error as NSError).localizedFailureReason ?? error.localizedDescription
      throw ConfigError(problems: [
        ConfigProblem(file: path, line: 1, keyPath: "", message: "cannot be read: \(reason)")
      ])
    }
  }
}
