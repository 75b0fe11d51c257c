/// A function that one part of the house leaves for another to call: set from any thread, called from any.
///
/// Never a `Locked` of the function itself: each look at a function that stands for a generic value wraps it
/// once more and puts that back, so that calls become slower and deeper until the stack ends.
public final class Hook<Event>: Sendable {
  /// A value of its own, which is not wrapped.
  private struct Call: Sendable {
    let body: @Sendable (Event) -> Void
  }

  private let call = Locked<Call?>(nil)

  /// Nobody wants to be called.
  public init() {}

  /// Has `body` called from now on, in place of what was.
  public func set(_ body: @escaping @Sendable (Event) -> Void) {
    call.withLock { $0 = Call(body: body) }
  }

  /// Calls the function, outside of the lock; false: there is none.
  @discardableResult
  public func callAsFunction(_ event: Event) -> Bool {
    guard let call = call.withLock({ $0 }) else { return false }
    call.body(event)
    return true
  }
}

extension Hook where Event == Void {
  /// Calls the function, outside of the lock; false: there is none.
  @discardableResult
  public func callAsFunction() -> Bool { self(()) }
}
