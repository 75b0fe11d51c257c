/// When the ledger's thread does what it does beside committing records. A value that is told the
/// time: instants are monotonic, in nanoseconds.
struct WriterSchedule {
  static let second: Int64 = 1_000_000_000
  /// How often the time is stored while nothing comes.
  static let idleMarkInterval = 60 * second
  /// How often all files are looked at.
  static let fileCheckInterval = second
  /// How long after a start the first round of pruning begins.
  static let firstPruning = 60 * second
  /// How long slices of pruning are apart at most.
  static let pruningPause: Int64 = 20_000_000
  /// Upkeep and forgetting are reported so often at most.
  static let reportInterval = 60 * second
  static let bytesPerFrame = 4_096 + 24

  let gatherInterval: Int64
  let foldInterval: Int64
  let markInterval: Int64
  let failureWindow: Int64
  let fileLookInterval: Int64
  let pruneInterval: Int64
  let checkpointBytes: Int
  let truncateBytes: Int

  /// When the thread last took what waited.
  var lastTake: Int64 = 0
  private var lastFold: Int64
  private var lastFoldDuration: Int64 = 0
  private var lastMark: Int64
  private var lastCommit: Int64
  private var lastUpkeep: Int64
  private var lastFileCheck: Int64
  private var lastFileLook: Int64 = 0
  /// When the next slice of pruning is due.
  private var nextPruning: Int64
  private var lastFailure: Int64?
  private var lastUpkeepReport: Int64?
  private var lastForgettingReport: Int64?

  init(_ settings: LedgerSettings, at now: Int64) {
    gatherInterval = settings.gatherInterval.nanoseconds
    foldInterval = settings.foldInterval.nanoseconds
    markInterval = settings.clockInterval.nanoseconds
    failureWindow = settings.failureWindow.nanoseconds
    fileLookInterval = settings.fileLookInterval.nanoseconds
    pruneInterval = settings.pruneInterval.nanoseconds
    checkpointBytes = settings.checkpointBytes
    truncateBytes = settings.truncateBytes
    (lastFold, lastMark, lastCommit, lastUpkeep, lastFileCheck) = (now, now, now, now, now)
    // A start prunes nothing: a process that never lasts an hour does it all the same.
    nextPruning = now + min(pruneInterval, Self.firstPruning)
  }

  // MARK: - Waiting

  /// Everything that may make the thread wake up by itself.
  struct Standing {
    var isRefusing = false
    /// Commands wait for their next try.
    var hasPostponed = false
    /// Since when balances wait for their fold; nil: none do.
    var unfoldedSince: Int64?
    /// Since when sums of reservations do.
    var heldSince: Int64?
    /// Rows that no fold brings forward wait for one all the same.
    var hasUnwritten = false
    var logFrames = 0
    var isForgettingDue = false
    /// A slice of a copy or of pruning waits for a pause.
    var isCopying = false
  }

  /// How long the thread may sleep.
  func wait(_ standing: Standing, at now: Int64) -> Int64 {
    if standing.isCopying { return 0 }
    var wake = min(lastMark + Self.idleMarkInterval, lastFileCheck + Self.fileCheckInterval)
    wake = min(wake, nextPruning)
    if standing.isRefusing || standing.hasPostponed { wake = min(wake, now + Self.second) }
    if standing.unfoldedSince != nil || standing.hasUnwritten {
      wake = min(wake, foldDue(waitingSince: standing.unfoldedSince))
    }
    if let since = standing.heldSince { wake = min(wake, foldDue(waitingSince: since)) }
    if standing.logFrames > 0 { wake = min(wake, lastCommit + Self.second) }
    if standing.isForgettingDue { wake = min(wake, lastUpkeep + foldInterval) }
    return max(wake - now, 0)
  }

  /// Records that are answered at once need not go to the disk one by one.
  func gathering(enough: Int) -> RecordQueue.Gathering? {
    guard gatherInterval > 0 else { return nil }
    return RecordQueue.Gathering(enough: enough, until: lastTake + gatherInterval)
  }

  // MARK: - Folding and the time

  /// When the next fold is due. Folding takes a tenth of the time at most: with very many budgets a
  /// round of it takes longer, and a start replays a little more.
  private func foldDue(waitingSince since: Int64?) -> Int64 {
    max((since ?? lastFold) + foldInterval, lastFold + 10 * lastFoldDuration)
  }

  func isFoldDue(waitingSince since: Int64?, at now: Int64) -> Bool {
    now >= foldDue(waitingSince: since)
  }

  /// A block that was charged since then is not folded yet.
  func foldsBlocks(at now: Int64) -> Int64 { now - foldInterval }

  /// Whether sums of reservations that wait since `since` have a transaction of their own: none came
  /// by that took them along.
  func areHoldsDue(_ since: Int64?, isLast: Bool, at now: Int64) -> Bool {
    since.map { isLast || isFoldDue(waitingSince: $0, at: now) } ?? false
  }

  mutating func folded(took duration: Int64, at now: Int64) {
    lastFold = now
    lastFoldDuration = duration
  }

  /// While records come.
  func isMarkDue(at now: Int64) -> Bool { now - lastMark >= markInterval }

  /// While nothing comes; a ledger that refuses tries once a second whether it can write again.
  func isIdleMarkDue(isRefusing: Bool, at now: Int64) -> Bool {
    now - lastMark >= Self.idleMarkInterval || isRefusing && now - lastCommit >= Self.second
  }

  mutating func committed(marks: Bool, at now: Int64) {
    lastCommit = now
    if marks { lastMark = now }
  }

  /// A transaction of the ledger's own was refused. Not before a second has passed again: a full
  /// disk is not asked in a tight loop.
  mutating func refused(at now: Int64) {
    lastFold = now + Self.second
    lastCommit = now
  }

  // MARK: - Upkeep

  /// Whether it is time to forget; counts as done.
  mutating func takesUpkeep(isLast: Bool, at now: Int64) -> Bool {
    guard now - lastUpkeep >= foldInterval || isLast else { return false }
    lastUpkeep = now
    return true
  }

  func isPruningDue(at now: Int64) -> Bool { now >= nextPruning }

  /// A slice of pruning was done, or tried. `isLast`: of its round.
  mutating func pruned(isLast: Bool, at now: Int64) {
    nextPruning = now + (isLast ? pruneInterval : min(pruneInterval, Self.pruningPause))
  }

  /// A slice of pruning was refused: a full disk is not asked in a tight loop.
  mutating func pruningFailed(at now: Int64) { nextPruning = now + Self.second }

  /// A checkpoint that is due, by its effect on the log's file.
  enum Checkpoint {
    case keepsFile
    case cutsFile
  }

  func checkpoint(
    logFrames: Int, isIdle: Bool, isLast: Bool, at now: Int64
  ) -> Checkpoint? {
    guard logFrames > 0 else { return nil }
    let bytes = logFrames * Self.bytesPerFrame
    let isDue = isLast || bytes > checkpointBytes || isIdle && now - lastCommit >= Self.second
    guard isDue else { return nil }
    return isLast || bytes > truncateBytes ? .cutsFile : .keepsFile
  }

  mutating func checkpointFailed(at now: Int64) { lastCommit = now }

  // MARK: - Files and failures

  /// Whether it is time to check all files; counts as done.
  mutating func checksFiles(at now: Int64) -> Bool {
    guard now - lastFileCheck >= Self.fileCheckInterval else { return false }
    lastFileCheck = now
    return true
  }

  /// Whether a commit has to look at the paths before it writes; counts as done. Where commits
  /// follow each other closely, most of them need not.
  mutating func looksAtFiles() -> Bool {
    guard lastTake - lastFileLook >= fileLookInterval else { return false }
    lastFileLook = lastTake
    return true
  }

  /// A commit has failed; false: so had another, not long ago.
  mutating func mayFail(at now: Int64) -> Bool {
    if let lastFailure, now - lastFailure < failureWindow { return false }
    lastFailure = now
    return true
  }

  mutating func reportsUpkeep(at now: Int64) -> Bool { Self.isTimeToTell(&lastUpkeepReport, now) }

  mutating func reportsForgetting(at now: Int64) -> Bool {
    Self.isTimeToTell(&lastForgettingReport, now)
  }

  private static func isTimeToTell(_ last: inout Int64?, _ now: Int64) -> Bool {
    if let told = last, now - told < reportInterval { return false }
    last = now
    return true
  }
}
