/// Elements in pieces of one size that never move: an array would take twice its size while it grows,
/// and copy everything at once.
public struct Pieces<Element> {
  @usableFromInline static var shift: Int { 10 }
  @usableFromInline static var mask: Int { 1 << shift - 1 }

  @usableFromInline var pieces: [[Element]] = []
  @usableFromInline var total = 0

  /// Makes an empty one.
  @inlinable public init() {}

  /// Adds an element behind the last one.
  @inlinable public mutating func append(_ element: Element) {
    if total & Self.mask == 0 {
      pieces.append([])
      pieces[pieces.count - 1].reserveCapacity(1 << Self.shift)
    }
    pieces[pieces.count - 1].append(element)
    total += 1
  }

  /// Adds the element until there are `count`.
  @inlinable public mutating func fill(to count: Int, with element: Element) {
    while total < count { append(element) }
  }
}

extension Pieces: Sendable where Element: Sendable {}

extension Pieces: RandomAccessCollection, MutableCollection {
  /// 0.
  @inlinable public var startIndex: Int { 0 }
  /// How many elements there are.
  @inlinable public var endIndex: Int { total }

  /// The element at `index`, in `0..<endIndex`.
  @inlinable public subscript(index: Int) -> Element {
    get { pieces[index >> Self.shift][index & Self.mask] }
    _modify { yield &pieces[index >> Self.shift][index & Self.mask] }
  }
}
