/// A file of the ledger whose name does not lead to it any more: what is written to it is not found
/// by the next start.
struct FileLoss: Equatable {
  /// Which of the ledger's files it is.
  enum Part {
    case directory
    case database
    case log
    case lock
  }

  /// Its fate.
  enum Fate: String {
    /// It has no name any more, and is gone when the process ends.
    case removed = "was removed"
    /// Nothing is at its path; it has another name.
    case movedAway = "was moved away"
    /// Another file is at its path.
    case replaced = "was replaced by another"
    /// It is at its path, and another program has written to it.
    case overwritten = "was written to by another program"
  }

  var part: Part
  var path: String
  var fate: Fate
  /// All that was recorded is in the database, which is in its place.
  var isSaved = false

  /// The fault and the way out, for people.
  var text: String {
    "\(path) \(fate.rawValue) while budgetd ran: nothing more is recorded. \(wayOut)"
  }

  private var wayOut: String {
    switch (part, fate) {
    case (_, .movedAway) where !isSaved: "Move it back"
    case (.lock, _): "What was recorded is on disk; restart budgetd"
    case (.log, .overwritten):
      "What was recorded last is in this process alone: do not restart it before you have made a "
        + "copy with 'budgetctl backup'. Then stop budgetd, put the copy, or where none can be made "
        + "a backup, in the place of ledger.sqlite, remove ledger.sqlite-wal, and start it again"
    case (_, .overwritten):
      "Stop budgetd, put a backup in the place of the ledger, and start it again"
    case _ where isSaved:
      "What was recorded is in the database; move away what is at this path, and restart budgetd"
    default:
      "Copy what was recorded with 'budgetctl backup', and restart budgetd with the copy as the "
        + "data directory's ledger.sqlite"
    }
  }
}
