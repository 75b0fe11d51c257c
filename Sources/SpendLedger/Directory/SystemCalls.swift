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

  /// Time that only passes, for waits and durations.
  @inline(__always)
  /// The monotonic clock as of the last tick, some milliseconds ago: a fifth of the cost.
  static func coarseMonotonicNanoseconds() -> Int64 {
    var time = timespec()
    unsafe clock_gettime(CLOCK_MONOTONIC_COARSE, &time)
    return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
  }

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

  /// What the path is: its mode, size and inode; nil where there is nothing.
  static func status(of path: String) -> FileStatus? {
    var status = stat()
    guard unsafe stat(path, &status) == 0 else { return nil }
    return FileStatus(
      isDirectory: status.st_mode & S_IFMT == S_IFDIR, size: Int64(status.st_size),
      inode: UInt64(status.st_ino))
  }

  static func makeDirectory(_ path: String) throws(SystemFailure) {
    if unsafe mkdir(path, 0o700) != 0, errno != EEXIST {
      throw SystemFailure(call: "mkdir", code: errno)
    }
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
    var bytes = [UInt8](repeating: 0, count: count)
    let read = unsafe bytes.withUnsafeMutableBytes {
      unsafe pread(file.number, $0.baseAddress, count, 0)
    }
    if read < 0 { throw SystemFailure(call: "read", code: errno) }
    bytes.removeLast(count - read)
    return bytes
  }

  private static func firstLine(of path: String) -> String {
    // Absent or unreadable is as good as empty: see the callers.
    guard let bytes = try? head(of: path, count: 128) else { return "" }
    return String(decoding: bytes.prefix { $0 > 0x20 }, as: UTF8.self)
  }
}

/// What is known of a file.
struct FileStatus {
  var isDirectory: Bool
  var size: Int64
  var inode: UInt64
}

/// The owner of a descriptor: closes it once, when it goes.
struct Descriptor: ~Copyable, Sendable {
  let number: Int32

  init(_ path: String, _ flags: Int32, mode: mode_t = 0) throws(SystemFailure) {
    number = unsafe Glibc.open(path, flags | O_CLOEXEC, mode)
    if number < 0 { throw SystemFailure(call: "open", code: errno) }
  }

  deinit { _ = Glibc.close(number) }
}

extension Descriptor {
  /// Locks the file for this descriptor, without waiting.
  func lock() -> Bool { flock(number, LOCK_EX | LOCK_NB) == 0 }

  /// Replaces the file's text.
  func write(_ text: String) {
    // The text is for people; a lock without it still locks.
    _ = ftruncate(number, 0)
    let bytes = Array(text.utf8)
    _ = unsafe bytes.withUnsafeBytes { unsafe pwrite(number, $0.baseAddress, $0.count, 0) }
  }
}

/// A system call's errno, as an error.
struct SystemFailure: Error, Equatable {
  let call: String
  let code: Int32

  var text: String { "\(call): \(SystemCalls.message(for: code))" }
}
