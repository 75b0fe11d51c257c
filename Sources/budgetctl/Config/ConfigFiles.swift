import BudgetModel
import Foundation
import LiteLLMConfig

/// A file that a config names, beside those that are part of it: of certificates, a key, an address.
///
/// budgetd opens these when it starts, and does not start without them. It may run elsewhere, so here
/// they are worth a warning.
struct ConfigFiles {
  /// The setting that names it.
  var setting: String
  var path: String
  /// A line that it has to have; nil: any.
  var beginning: String?

  private static let certificate = "-----BEGIN "
  /// More of a file is not looked at.
  private static let longest = 1 << 20

  /// The files that `config` names.
  static func named(by config: LiteLLMConfig) -> [ConfigFiles] {
    var files: [ConfigFiles] = []
    func add(_ setting: String, _ path: String?, _ beginning: String? = certificate) {
      if let path {
        files.append(ConfigFiles(setting: setting, path: path, beginning: beginning))
      }
    }
    if let tls = config.redis?.tls {
      add("ssl_ca_certs", tls.authorities)
      add("ssl_ca_path", tls.authorityFolder, nil)
      add("ssl_certfile", tls.certificate)
      add("ssl_keyfile", tls.key)
    }
    if let webhook = config.alerts?.webhook {
      add("budgetd.alerts.webhook.ca_file", webhook.authorities)
      if case .file(let path) = webhook.address {
        add("budgetd.alerts.webhook.url_file", path, nil)
      }
    }
    return files
  }

  /// Why budgetd could not use it here; nil: nothing speaks against it.
  var fault: String? {
    let manager = FileManager.default
    guard manager.fileExists(atPath: path) else { return told("there is no such file here") }
    guard manager.isReadableFile(atPath: path) else {
      return told("whoever runs this command may not read it")
    }
    guard let beginning else { return nil }
    if manager.fileExists(atPath: path + "/.") { return told("it is a folder") }
    guard let file = FileHandle(forReadingAtPath: path) else { return told("it cannot be opened") }
    defer {
      // It was only read.
      try? file.close()
    }
    guard let bytes = try? file.read(upToCount: Self.longest) else {
      return told("it cannot be read")
    }
    return bytes.firstRange(of: Data(beginning.utf8)) == nil
      ? told("it has no line that begins with \(beginning.dropLast()): give a file in PEM") : nil
  }

  private func told(_ why: String) -> String {
    "\(setting) \(path): \(why); budgetd needs it to start"
  }
}
