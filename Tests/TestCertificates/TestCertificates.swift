import Foundation

/// Certificates of a test's own, made by the `openssl` command in a folder that goes with the object.
public final class TestCertificates: Sendable {
  /// The command failed.
  public enum Failure: Error { case openssl(arguments: [String], status: Int32, text: String) }

  /// A certificate and its key, as paths.
  public struct Identity: Sendable {
    /// The certificate.
    public let certificate: String
    /// Its key.
    public let key: String
  }

  private let folder: URL

  /// Makes the folder.
  public init() throws {
    folder = FileManager.default.temporaryDirectory
      .appending(path: "budgetd-certificates-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(at: folder) }

  /// A root, valid for a day.
  public func root(_ name: String) throws -> Identity {
    let made = identity(name)
    try openssl(
      "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days",
      "1", "-subj", "/CN=\(name)", "-keyout", made.key, "-out", made.certificate)
    return made
  }

  /// A certificate by `root`; `names` as in `DNS:localhost,IP:127.0.0.1`, `use` serverAuth or
  /// clientAuth, `days` below zero for one that is over.
  public func leaf(
    _ name: String, by root: Identity, names: String = "", use: String = "serverAuth",
    days: Int = 1,
    subject: String? = nil
  ) throws -> Identity {
    let made = identity(name)
    let request = folder.appending(path: "\(name).csr").path
    let extensions = folder.appending(path: "\(name).ext").path
    try openssl(
      "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj",
      subject ?? "/CN=\(name)", "-keyout", made.key, "-out", request)
    let lines = ["extendedKeyUsage=\(use)"] + (names.isEmpty ? [] : ["subjectAltName=\(names)"])
    try Data(lines.joined(separator: "\n").utf8).write(to: URL(filePath: extensions))
    try openssl(
      "x509", "-req", "-in", request, "-CA", root.certificate, "-CAkey", root.key,
      "-CAcreateserial", "-days", String(days), "-extfile", extensions, "-out", made.certificate)
    return made
  }

  private func identity(_ name: String) -> Identity {
    Identity(
      certificate: folder.appending(path: "\(name).pem").path,
      key: folder.appending(path: "\(name).key").path)
  }

  private func openssl(_ arguments: String...) throws {
    let process = Process()
    let output = Pipe()
    process.executableURL = URL(filePath: "/usr/bin/openssl")
    process.arguments = arguments
    process.standardOutput = output
    process.standardError = output
    try process.run()
    let text = output.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    guard process.terminationStatus == 0 else {
      throw Failure.openssl(
        arguments: arguments, status: process.terminationStatus,
        text: String(decoding: text, as: UTF8.self))
    }
  }
}
