import Glibc
import Locks
import Sockets

/// A journal that a process left when it ended.
struct OrphanedJournal: Sendable {
  /// The name that it has now, of this process.
  var path: String
  var records: [JournalFormat.Record]
}

/// This process' file in the folder of journals, and the files of those that have ended. May be used
/// from anywhere.
///
/// Nothing is synchronised: what is owed outlives the process, not the machine.
final class Journal: Sendable {
  let folder: String
  /// A file of more bytes, of which less than a quarter is owed, is written anew.
  let rewriteBytes: Int
  /// Of the files of this process.
  let name: String
  private let log: @Sendable (String) -> Void
  private let lock: Locked<ProcessLock?>
  // Lines are written inside the lock: their order in the file is that of the state.
  private let state: Locked<JournalState>

  /// Makes the folder where it is missing, and the files of this process in it.
  init(
    folder: String, rewriteBytes: Int = 16 << 20, log: @escaping @Sendable (String) -> Void
  ) throws(RouterError) {
    self.folder = folder
    self.rewriteBytes = rewriteBytes
    self.log = log
    let digits = String(UInt64.random(in: .min ... .max), radix: 16)
    name = String(repeating: "0", count: 16 - digits.count) + digits
    func unusable(_ why: String) -> RouterError {
      .invalid("the journal's folder \(folder) cannot be used: \(why)")
    }
    do throws(JournalFault) {
      try JournalFiles.makeFolder(folder)
    } catch {
      throw unusable(error.description)
    }
    let lock: ProcessLock
    do throws(SocketError) {
      // First: a journal whose lock nobody answers is an orphan.
      lock = try ProcessLock(path: "\(folder)/\(name).lock")
    } catch {
      // Of a path that is too long the reason alone: the socket is not the user's affair.
      if case .invalidPath(_, let reason) = error { throw unusable(reason) }
      throw unusable(error.description)
    }
    do throws(JournalFault) {
      let file = try JournalFile(creating: "\(folder)/\(name).journal")
      try file.append(JournalFormat.header)
      state = Locked(JournalState(file: file, rewriteAbove: rewriteBytes))
    } catch {
      lock.remove()
      throw unusable(error.description)
    }
    self.lock = Locked(lock)
  }

  private func path(_ ending: String, of owner: String? = nil) -> String {
    "\(folder)/\(owner ?? name)\(ending)"
  }

  // MARK: - Lines

  /// Writes down that a record is owed, to this address. False: it was closed.
  @discardableResult
  func owe(_ key: [UInt8], _ address: String, _ body: [UInt8]) -> Bool {
    change { state throws(JournalFault) in
      state.notes += 1
      let note = JournalState.Note(order: state.notes, address: address, body: body)
      let before = state.owed.updateValue(note, forKey: key)
      state.owedBytes += body.count - (before?.body.count ?? 0)
      state.unwritten.append(key)
      try state.writeOut()
    }
  }

  /// Writes down that it is not owed any longer.
  func done(_ key: [UInt8]) {
    change {
      [rewriteBytes, path = path(".journal"), new = path(".new")] state throws(JournalFault) in
      guard let note = state.owed.removeValue(forKey: key) else { return }
      state.owedBytes -= note.body.count
      if state.owed.isEmpty {
        state.wroteAll()
        try state.cut(to: JournalFormat.header.count)
        state.rewriteAbove = rewriteBytes
        return
      }
      try state.append(JournalFormat.done(key))
      try state.writeOut()
      guard state.bytes > state.rewriteAbove, state.owedBytes < state.bytes / 4 else { return }
      // Not tried at each record while the disk is full.
      state.rewriteAbove = 2 * state.bytes
      try state.rewrite(as: new, in: path)
      state.rewriteAbove = rewriteBytes
    }
  }

  @discardableResult
  private func change(_ body: (inout JournalState) throws(JournalFault) -> Void) -> Bool {
    var isOpen = false
    let complaint: JournalFault? = state.withLock { state in
      isOpen = state.isOpen
      guard isOpen else { return nil }
      do throws(JournalFault) {
        try body(&state)
        state.isFailing = false
        return nil
      } catch {
        // Records go on: only the end of this process would lose those that cannot be written now.
        return exchange(&state.isFailing, with: true) ? nil : error
      }
    }
    if let complaint { log("the journal in \(folder) cannot be written: \(complaint)") }
    return isOpen
  }

  /// The file stays if it owes something: whoever starts here next sends that. Later lines are not
  /// written. Calling it again does nothing.
  func close() {
    guard let lock = lock.withLock({ exchange(&$0, with: nil) }) else { return }
    state.withLock { state in
      do throws(JournalFault) {
        try state.writeOut()
      } catch {
        // It was said when the disk first did not take it.
      }
      state.file = nil
      if state.owed.isEmpty { JournalFiles.remove(path(".journal")) }
    }
    lock.remove()
  }

  // MARK: - Orphans

  /// Takes over the journals that nobody owns; each is to be forgotten once its records are owed here.
  func orphans() -> [OrphanedJournal] {
    var found: [OrphanedJournal] = []
    do throws(JournalFault) {
      for file in try JournalFiles.names(in: folder) where file.hasSuffix(".journal") {
        let owner = String(file.dropLast(".journal".count).prefix { $0 != "+" })
        guard owner != name, !ProcessLock.isHeld(path(".lock", of: owner)) else { continue }
        if let orphan = try adopt(file, of: owner) { found.append(orphan) }
      }
    } catch {
      log("journals of others cannot be read: \(error)")
    }
    return found
  }

  private func adopt(_ file: String, of owner: String) throws(JournalFault) -> OrphanedJournal? {
    let number: Int? = state.withLock { state in
      guard state.isOpen else { return nil }
      state.adopted += 1
      return state.adopted
    }
    guard let number else { return nil }
    let taken = path("+\(number).journal")
    do throws(JournalFault) {
      try JournalFiles.rename("\(folder)/\(file)", to: taken)
    } catch  where error.isAbsence {
      return nil  // Another process was quicker.
    }
    let (records, unreadable) = JournalFormat.read(try JournalFiles.read(taken))
    if unreadable > 0 { log("\(unreadable) entries of the journal \(taken) cannot be read") }
    JournalFiles.remove(path(".lock", of: owner))
    return OrphanedJournal(path: taken, records: records)
  }

  /// An orphan's records are all owed here. Its file stays until they are written here: the end of this
  /// process makes it an orphan again.
  func forget(_ orphan: OrphanedJournal) {
    state.withLock { state in
      state.kept.append(orphan.path)
      if state.unwritten.isEmpty { state.wroteAll() }
    }
  }
}

/// The file of this process, and what it owes.
private struct JournalState: ~Copyable {
  struct Note {
    var order: UInt64
    var address: String
    var body: [UInt8]
  }

  /// Nil: it was closed.
  var file: JournalFile?
  var owed: [[UInt8]: Note] = [:]
  /// Keys of what the disk did not take yet: written before anything else.
  var unwritten: [[UInt8]] = []
  /// Orphans' files whose records are not all in this process' file yet.
  var kept: [String] = []
  var owedBytes = 0
  var bytes = JournalFormat.header.count
  var notes: UInt64 = 0
  var adopted = 0
  var isFailing = false
  /// The file is written anew when it has more bytes.
  var rewriteAbove: Int

  init(file: consuming JournalFile, rewriteAbove: Int) {
    self.file = consume file
    self.rewriteAbove = rewriteAbove
  }

  var isOpen: Bool {
    switch file {
    case .some: true
    case .none: false
    }
  }

  /// Writes what is not in the file yet, as far as the disk takes it.
  mutating func writeOut() throws(JournalFault) {
    while let key = unwritten.first {
      if let note = owed[key] { try append(JournalFormat.owed(note.address, note.body)) }
      unwritten.removeFirst()
    }
    wroteAll()
  }

  /// Everything that is owed is in the file.
  mutating func wroteAll() {
    unwritten.removeAll()
    for path in exchange(&kept, with: []) { JournalFiles.remove(path) }
  }

  mutating func append(_ line: [UInt8]) throws(JournalFault) {
    switch file {
    case .some(let file):
      do throws(JournalFault) {
        try file.append(line)
        bytes += line.count
      } catch {
        // Readers stop at half a line, and would not see those behind it.
        try file.cut(to: bytes)
        throw error
      }
    case .none: break
    }
  }

  mutating func cut(to length: Int) throws(JournalFault) {
    switch file {
    case .some(let file): try file.cut(to: length)
    case .none: return
    }
    bytes = length
  }

  /// Writes the file without all that is done, and puts it in the place of the other.
  mutating func rewrite(as new: String, in path: String) throws(JournalFault) {
    let written = try JournalFile(creating: new)
    var lines = JournalFormat.header
    for note in owed.values.sorted(by: { $0.order < $1.order }) {
      lines += JournalFormat.owed(note.address, note.body)
    }
    do throws(JournalFault) {
      try written.append(lines)
      try JournalFiles.rename(new, to: path)
    } catch {
      JournalFiles.remove(new)
      throw error
    }
    file = consume written
    bytes = lines.count
    wroteAll()
  }
}

/// A Unix socket that says that its process lives: the kernel closes it with the process, whatever
/// ended that.
private struct ProcessLock: Sendable {
  private let socket: Held
  private let file: UnixSocketFile?

  private final class Held: Sendable {
    let descriptor: Descriptor
    init(_ socket: consuming ListeningSocket) { descriptor = socket.release() }
  }

  init(path: String) throws(SocketError) {
    let listening = try ListeningSocket(try Endpoint("unix:\(path)"), backlog: 128, mode: 0o600)
    file = listening.file
    socket = Held(listening)
  }

  func remove() { file?.remove() }

  /// Whether a process answers there.
  static func isHeld(_ path: String) -> Bool {
    do throws(SocketError) {
      guard let address = try ResolvedAddress.all(of: try Endpoint("unix:\(path)")).first else {
        return true
      }
      let probe = try Descriptor.streamSocket(family: address.family)
      let code = probe.connect(to: address)
      // Any other failure is that of a queue that is full: it lives.
      return code != ECONNREFUSED && code != ENOENT
    } catch {
      // Nothing is known, so nothing is taken.
      return true
    }
  }
}
