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

extension BudgetServer {
  /// Reads the access file again and puts it in force as a whole: connections of those who are known no
  /// more are closed, all others go on. A file that is refused leaves the one before in force.
  /// Returns the complaint then.
  func reloadAccess() -> String? {
    do throws(ServerError) {
      let table = try AccessSource(options).load()
      if table.isOpen { return nil }
      access.replace(table)
      log.info("reloaded the access file: \(LogText.counted(table.count, "client"))")
      return nil
    } catch {
      log.error("reload of the access file refused, the one in force stays:")
      for line in error.description.split(separator: "\n") { log.error("  \(line)") }
      return error.description
    }
  }
}
