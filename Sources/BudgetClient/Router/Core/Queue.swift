import BudgetModel
import Sockets

/// Elements in the order in which they came; taking the first is cheap.
struct Queue<Element>: Sequence {
  private var elements: [Element] = []
  private var head = 0

  var count: Int { elements.count - head }
  var isEmpty: Bool { count == 0 }
  var first: Element? { isEmpty ? nil : elements[head] }

  init(_ elements: [Element] = []) { self.elements = elements }

  mutating func append(_ element: Element) { elements.append(element) }

  mutating func popFirst() -> Element? {
    guard head < elements.count else { return nil }
    let element = elements[head]
    head += 1
    // Moving the rest pays for itself once as many were taken.
    if head > 32, head * 2 > elements.count {
      elements.removeFirst(head)
      head = 0
    }
    return element
  }

  func makeIterator() -> ArraySlice<Element>.Iterator { elements[head...].makeIterator() }
}

extension Queue: Sendable where Element: Sendable {}

/// When calls have to be answered. Calls with the same timeout end in the order in which their time
/// began, so each timeout has a queue of its own.
///
/// A call that ended leaves its entry behind; `expired` and `earliest` pass over it.
struct Deadlines {
  private struct Entry {
    var at: MonotonicInstant
    var number: UInt64
  }

  private var queues: [Duration: Queue<Entry>] = [:]

  /// The time of a call begins: it ends `timeout` from now.
  mutating func begin(_ number: UInt64, _ timeout: Duration, now: MonotonicInstant) {
    queues[timeout, default: Queue()].append(
      Entry(at: now.advanced(by: timeout), number: number))
  }

  /// The numbers whose time is over. A call whose time began anew has a later entry.
  mutating func expired(now: MonotonicInstant) -> [UInt64] {
    var numbers: [UInt64] = []
    for timeout in Array(queues.keys) {
      while let first = queues[timeout]?.first, first.at <= now {
        _ = queues[timeout]?.popFirst()
        numbers.append(first.number)
      }
    }
    return numbers.sorted()
  }

  /// When the first of the calls that `isOpen` knows ends.
  mutating func earliest(isOpen: (UInt64) -> Bool) -> MonotonicInstant {
    var earliest = MonotonicInstant.never
    for timeout in Array(queues.keys) {
      while let first = queues[timeout]?.first {
        if isOpen(first.number) {
          earliest = min(earliest, first.at)
          break
        }
        _ = queues[timeout]?.popFirst()
      }
    }
    return earliest
  }
}
