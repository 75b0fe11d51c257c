#if THREAD_SANITIZER
  import Foundation

  /// A value behind a lock: the same as in other builds, over a lock that the thread sanitizer sees.
  ///
  /// The standard library's `Mutex` sleeps in the kernel without a trace that the sanitizer could
  /// follow, so under contention it reports races that do not exist.
  ///
  /// Unchecked: the value is touched between `lock` and `unlock` only, in this file.
  @safe public struct Locked<Value: ~Copyable>: ~Copyable, @unchecked Sendable {
    private let lock = NSLock()
    private let value: UnsafeMutablePointer<Value>

    /// Puts `value` behind a lock.
    public init(_ value: consuming sending Value) {
      unsafe self.value = .allocate(capacity: 1)
      unsafe self.value.initialize(to: value)
    }

    deinit {
      unsafe value.deinitialize(count: 1)
      unsafe value.deallocate()
    }

    /// Calls `body` with the value while nobody else has it.
    public borrowing func withLock<Result: ~Copyable, Failure: Error>(
      _ body: (inout sending Value) throws(Failure) -> sending Result
    ) throws(Failure) -> sending Result {
      lock.lock()
      defer { lock.unlock() }
      return unsafe try body(&value.pointee)
    }
  }
#else
  public import Synchronization

  /// A value behind a lock. Locks are short: no logging, no calls out and no waiting inside.
  ///
  /// The standard library's `Mutex` by another name, so that builds for the thread sanitizer can
  /// put a lock in its place that the sanitizer sees.
  public struct Locked<Value: ~Copyable>: ~Copyable, Sendable {
    @usableFromInline let mutex: Mutex<Value>

    /// Puts `value` behind a lock.
    @inlinable public init(_ value: consuming sending Value) { mutex = Mutex(value) }

    /// Calls `body` with the value while nobody else has it.
    @inlinable public borrowing func withLock<Result: ~Copyable, Failure: Error>(
      _ body: (inout sending Value) throws(Failure) -> sending Result
    ) throws(Failure) -> sending Result {
      try mutex.withLock(body)
    }
  }
#endif
