import BudgetModel
import Glibc

/// The system calls of the ledger: files, locks, clocks. The only file with raw calls.
enum SystemCalls {
  static func clockReading() -> ClockReading {
    var wall = timespec()
    var boot = timespec()
    unsafe clock_gettime(CLOCK_REALTIME, &wall)
    unsafe clock_gettime(CLOCK_BOOTTIME, &boot)
    return ClockReading(
      wall: Timestamp(unixMilliseconds: milliseconds(wall)),
      boottimeMilliseconds: milliseconds(boot), bootID: bootID)
  }

  /// Empty where the kernel does not tell: then no two boots are taken for the same.
  private static let bootID = firstLine(of: "/proc/sys/kernel/random/boot_id")

  /// Empty where the machine has none.
  static let machineID = firstLine(of: "/etc/machine-id")

  private static func milliseconds(_ time: timespec) -> Int64 {
    Int64(time.tv_sec) * 1_000 + Int64(time.tv_nsec) / 1_000_000
  }

  /// The monotonic clock as of the last tick, some milliseconds ago: a fifth of the cost.
  @inline(__always)
  static func coarseMonotonicNanoseconds() -> Int64 {
    var time = timespec()
    unsafe clock_gettime(CLOCK_MONOTONIC_COARSE, &time)
    return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
  }

  /// Time that only passes, for waits and durations.
  static func monotonicNanoseconds() -> Int64 {
    var time = timespec()
    unsafe clock_gettime(CLOCK_MONOTONIC, &time)
    return Int64(time.tv_sec) &* 1_000_000_000 &+ Int64(time.tv_nsec)
  }

  static func message(for code: Int32) -> String {
    guard let text = unsafe strerror(code) else { return "error \(code)" }
    return unsafe String(cString: text)
  }

  static var processID: Int32 { getpid() }

  /// The file at the path: its mode, size and inode; nil where there is nothing.
  static func status(of path: String) -> FileStatus? {
    if case .there(let status) = look(at: path) { status } else { nil }
  }

  /// The file at the path, if any; a look that fails is told apart from an absent file.
  static func look(at path: String) -> PathLook {
    var status = stat()
    if unsafe stat(path, &status) == 0 { return .there(FileStatus(status)) }
    return errno == ENOENT || errno == ENOTDIR ? .absent : .unknown
  }

  static func makeDirectory(_ path: String) throws(SystemFailure) {
    if unsafe mkdir(path, 0o700) != 0, errno != EEXIST {
      throw SystemFailure(call: "mkdir", code: errno)
    }
  }

  /// As `makeDirectory`, with the missing directories above it.
  static func makeDirectories(_ path: String) throws(SystemFailure) {
    let parent = DataDirectory.parent(of: path)
    if parent != path, status(of: parent) == nil { try makeDirectories(parent) }
    try makeDirectory(path)
    try synchronize(parent)
  }

  static func isLink(_ path: String) -> Bool {
    var status = stat()
    return unsafe lstat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFLNK
  }

  static func isWritable(_ path: String) throws(SystemFailure) {
    if unsafe access(path, R_OK | W_OK | X_OK) != 0 {
      throw SystemFailure(call: "access", code: errno)
    }
  }

  static func remove(_ path: String) { _ = unsafe unlink(path) }

  static func move(_ old: String, to new: String) throws(SystemFailure) {
    if unsafe Glibc.rename(old, new) != 0 { throw SystemFailure(call: "rename", code: errno) }
  }

  /// Makes what the file or directory holds last; `mode` is set first, where one is given.
  static func synchronize(_ path: String, mode: mode_t? = nil) throws(SystemFailure) {
    let file = try Descriptor(path, O_RDONLY)
    if let mode, fchmod(file.number, mode) != 0 {
      throw SystemFailure(call: "chmod", code: errno)
    }
    if fsync(file.number) != 0 { throw SystemFailure(call: "fsync", code: errno) }
  }

  /// The first `count` bytes of a file, or fewer where it is shorter.
  static func head(of path: String, count: Int) throws(SystemFailure) -> [UInt8] {
    let file = try Descriptor(path, O_RDONLY)
    return try file.head(count: count)
  }

  /// The absolute path without links.
  static func realPath(_ path: String) throws(SystemFailure) -> String {
    guard let real = unsafe realpath(path, nil) else {
      throw SystemFailure(call: "realpath", code: errno)
    }
    defer { unsafe free(real) }
    return unsafe String(cString: real)
  }

  private static func firstLine(of path: String) -> String {
    // Absent or unreadable is as good as empty: see the callers.
    guard let bytes = try? head(of: path, count: 128) else { return "" }
    return String(decoding: bytes.prefix { $0 > 0x20 }, as: UTF8.self)
  }
}

/// The facts of a file.
struct FileStatus {
  var isDirectory: Bool
  var size: Int64
  var inode: UInt64
  var device: UInt64
  /// How many names it has; 0: it is gone with its last descriptor.
  var links: UInt64
  /// When its contents were last written, in nanoseconds.
  var written: Int64

  init(_ status: stat) {
    isDirectory = status.st_mode & S_IFMT == S_IFDIR
    size = Int64(status.st_size)
    inode = UInt64(status.st_ino)
    device = UInt64(status.st_dev)
    links = UInt64(status.st_nlink)
    written = Int64(status.st_mtim.tv_sec) &* 1_000_000_000 &+ Int64(status.st_mtim.tv_nsec)
  }

  func isSameFile(as other: FileStatus) -> Bool {
    inode == other.inode && device == other.device
  }
}

/// A look at a path.
enum PathLook {
  case there(FileStatus)
  case absent
  /// The look itself failed: nothing is known.
  case unknown
}

/// The owner of a descriptor: closes it once, when it goes.
struct Descriptor: ~Copyable, Sendable {
  let number: Int32

  init(_ path: String, _ flags: Int32, mode: mode_t = 0) throws(SystemFailure) {
    number = unsafe Glibc.open(path, flags | O_CLOEXEC, mode)
    if number < 0 { throw SystemFailure(call: "open", code: errno) }
  }

  fileprivate init(_ name: String, in directory: Int32, _ flags: Int32, mode: mode_t)
    throws(SystemFailure)
  {
    number = unsafe openat(directory, name, flags | O_CLOEXEC, mode)
    if number < 0 { throw SystemFailure(call: "open \(name)", code: errno) }
  }

  deinit { _ = Glibc.close(number) }
}

extension Descriptor {
  /// The facts of the open file; nil if the call fails.
  var status: FileStatus? {
    var status = stat()
    guard unsafe fstat(number, &status) == 0 else { return nil }
    return FileStatus(status)
  }

  /// The file's length; nil where the call fails. Cheaper than `status` before a commit: where the
  /// kernel keeps fine times, a file whose time has been asked for gets a new one at the next
  /// write, and its inode is then one block more to synchronise.
  var length: Int64? {
    let end = lseek(number, 0, SEEK_END)
    return end < 0 ? nil : Int64(end)
  }

  /// The file's first `count` bytes, or fewer where it is shorter.
  func head(count: Int) throws(SystemFailure) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: count)
    let read = unsafe bytes.withUnsafeMutableBytes { bytes in
      Self.repeated { unsafe pread(number, bytes.baseAddress, count, 0) }
    }
    if read < 0 { throw SystemFailure(call: "read", code: errno) }
    bytes.removeLast(count - read)
    return bytes
  }

  /// A read that is made again where a signal has interrupted it.
  private static func repeated(_ read: () -> Int) -> Int {
    while true {
      let count = read()
      if count >= 0 || errno != EINTR { return count }
    }
  }

  /// 32 bytes at `offset`, for a comparison; nil where there are not so many, or the call fails.
  func words(at offset: Int) -> SIMD4<UInt64>? {
    var words = SIMD4<UInt64>()
    let read = unsafe withUnsafeMutableBytes(of: &words) { words in
      Self.repeated { unsafe pread(number, words.baseAddress, words.count, off_t(offset)) }
    }
    return read == 32 ? words : nil
  }

  /// Reads up to `count` bytes at `offset` into `bytes`, which has room for them; how many there
  /// were, nil where the call fails.
  func read(_ count: Int, at offset: Int, into bytes: inout [UInt8]) -> Int? {
    precondition(count <= bytes.count, "room for what is read")
    let read = unsafe bytes.withUnsafeMutableBytes { bytes in
      Self.repeated { unsafe pread(number, bytes.baseAddress, count, off_t(offset)) }
    }
    return read < 0 ? nil : read
  }

  /// Locks the file for this descriptor, without waiting.
  func lock() -> Bool { flock(number, LOCK_EX | LOCK_NB) == 0 }

  /// Writes bytes over what the file has at `offset`.
  func write(_ bytes: [UInt8], at offset: Int) throws(SystemFailure) {
    let written = unsafe bytes.withUnsafeBytes {
      unsafe pwrite(number, $0.baseAddress, $0.count, off_t(offset))
    }
    if written != bytes.count {
      throw SystemFailure(call: "write", code: written < 0 ? errno : EIO)
    }
  }

  /// Replaces the file's text.
  func write(_ text: String) {
    // The text is for people; a lock without it still locks.
    _ = ftruncate(number, 0)
    let bytes = Array(text.utf8)
    _ = unsafe bytes.withUnsafeBytes { unsafe pwrite(number, $0.baseAddress, $0.count, 0) }
  }
}

/// An open directory's entries, by names that hold no '/'.
extension Descriptor {
  func open(
    _ name: String, _ flags: Int32, mode: mode_t = 0
  ) throws(SystemFailure) -> Descriptor {
    try Descriptor(name, in: number, flags, mode: mode)
  }

  /// The facts of the entry itself, a link for example; nil if there is no entry.
  func entry(_ name: String) -> FileStatus? {
    var status = stat()
    guard unsafe fstatat(number, name, &status, AT_SYMLINK_NOFOLLOW) == 0 else { return nil }
    return FileStatus(status)
  }

  /// An entry that cannot be looked at counts as one.
  func hasEntry(_ name: String) -> Bool { entry(name) != nil || errno != ENOENT }

  func remove(_ name: String) { _ = unsafe unlinkat(number, name, 0) }

  /// Renames an entry to a name that nothing has.
  func give(_ old: String, theName name: String) throws(SystemFailure) {
    if unsafe linkat(number, old, number, name, 0) == 0 {
      remove(old)
      return
    }
    // Some file systems know no second name of a file; nothing had the name a moment ago.
    guard errno != EEXIST, entry(name) == nil else {
      throw SystemFailure(call: "link \(name)", code: EEXIST)
    }
    if unsafe renameat(number, old, number, name) != 0 {
      throw SystemFailure(call: "rename \(name)", code: errno)
    }
  }

  func setMode(_ mode: mode_t) throws(SystemFailure) {
    if fchmod(number, mode) != 0 { throw SystemFailure(call: "chmod", code: errno) }
  }

  func synchronize() throws(SystemFailure) {
    if fsync(number) != 0 { throw SystemFailure(call: "fsync", code: errno) }
  }

  /// Bytes that the file system has free for this process.
  func freeBytes() throws(SystemFailure) -> Int64 {
    var status = statvfs()
    guard unsafe fstatvfs(number, &status) == 0 else {
      throw SystemFailure(call: "statvfs", code: errno)
    }
    return Int64(clamping: UInt64(status.f_bavail) &* UInt64(status.f_frsize))
  }
}

/// A system call's errno, as an error.
struct SystemFailure: Error, Equatable {
  let call: String
  let code: Int32

  var text: String { "\(call): \(SystemCalls.message(for: code))" }
}
