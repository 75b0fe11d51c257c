import CEpoll
import Glibc

/// Rouses a thread that waits for its sockets, from any thread: it shows as readable once rung.
public struct Wakeup: ~Copyable, Sendable {
  /// The descriptor to wait for.
  public let descriptor: Descriptor

  /// Throws when the process is out of descriptors.
  public init() throws(SocketError) {
    let number = eventfd(0, Int32(EFD_NONBLOCK | EFD_CLOEXEC))
    if number < 0 { throw .system(call: "eventfd", errno: errno, address: nil) }
    descriptor = Descriptor(adopting: number)
  }

  /// Makes it readable. Any number of rings before it is silenced count once.
  public func ring() {
    // Fails only at 2^64 - 2 rings.
    _ = eventfd_write(descriptor.number, 1)
  }

  /// Makes it unreadable, until it is rung again. Not needed where epoll watches for its edge.
  public func silence() {
    var rings: eventfd_t = 0
    _ = unsafe eventfd_read(descriptor.number, &rings)
  }
}

/// The descriptors that a thread waits for with `poll`: for a few, made anew for each wait.
public struct PollSet {
  /// Something may be read, or the peer has ended.
  public static let readable = Int16(POLLIN)
  /// Something may be written.
  public static let writable = Int16(POLLOUT)

  private var entries: [pollfd] = []

  /// Makes an empty set.
  public init() {}

  /// Empties the set and keeps its memory.
  public mutating func removeAll() { entries.removeAll(keepingCapacity: true) }

  /// Adds a descriptor.
  public mutating func append(_ descriptor: borrowing Descriptor, events: Int16) {
    entries.append(pollfd(fd: descriptor.number, events: events, revents: 0))
  }

  /// Takes a place in which nothing happens.
  public mutating func appendNothing() { entries.append(pollfd(fd: -1, events: 0, revents: 0)) }

  /// The events of the descriptor at `index`, errors and hang-ups included.
  public func events(at index: Int) -> Int16 { entries[index].revents }

  /// Waits; -1 is without end.
  public mutating func wait(milliseconds: Int32) {
    let count = unsafe poll(&entries, nfds_t(entries.count), milliseconds)
    if count <= 0 { for index in entries.indices { entries[index].revents = 0 } }
  }
}
