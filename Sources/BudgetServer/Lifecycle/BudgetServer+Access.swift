import Access
import Documents
import Logging

/// The source of who may do what, at the start and at each reload.
struct AccessSource {
  private let path: String?

  init(_ options: ServerOptions) { path = options.accessFilePath }

  /// Reads the file; without one everybody may do everything.
  func load() throws(ServerError) -> AccessTable {
    guard let path else { return .open }
    do throws(DocumentError) {
      return try AccessFile.table(path: path)
    } catch {
      throw .config(error)
    }
  }
}

/// The outcome of files that a reload read beside the configuration.
struct FileReload {
  /// The changes that are in force, a sentence each.
  var changes: [String] = []
  /// The files that are refused: what was in force before them stays.
  var refusals: [String] = []
  /// Matters to know of files that are in force.
  var warnings: [String] = []
}

extension BudgetServer {
  /// Reads the files beside the configuration again: certificates, and who may do what. Each comes in
  /// force as a whole; one that is refused leaves the one before in force.
  func reloadFiles() -> FileReload {
    var outcome = security?.reload(at: SystemTimeSource.wallClock()) ?? FileReload()
    reloadAccess(&outcome)
    return outcome
  }

  /// Connections of those who are known no more are closed, all others go on.
  private func reloadAccess(_ outcome: inout FileReload) {
    do throws(ServerError) {
      let table = try AccessSource(options).load()
      if table.isOpen { return }
      outcome.changes += access.replace(table)
      log.info("reloaded the access file: \(LogText.counted(table.count, "client"))")
    } catch {
      log.error("reload of the access file refused, the one in force stays:")
      for line in error.description.split(separator: "\n") { log.error("  \(line)") }
      outcome.refusals.append(
        "the access file is refused, the one in force stays: \(error.description)")
    }
  }
}
