/// How a field is framed, how often it may stand, and where the walk notes that it stood. The rules
/// themselves are generated from the .proto.
struct FieldRule: Equatable {
  /// How often a field may stand: the bounds of lists are settings.
  enum Occurrence: UInt8, Equatable {
    case once
    case deployments
    case tags
    case list
  }

  let wireType: UInt8
  let occurrence: Occurrence
  /// A singular field's bit in a `FieldSet`, a list's index in `ListCounts`. No two singular fields
  /// of a message share one, and no two lists do.
  let place: UInt8
  /// The kind of the message inside. `request` says that the field holds no message: nothing holds a
  /// request.
  let inner: MessageKind

  @inline(__always)
  init(
    _ wireType: UInt8, _ occurrence: Occurrence, at place: UInt8,
    holding inner: MessageKind = .request
  ) {
    self.wireType = wireType
    self.occurrence = occurrence
    self.place = place
    self.inner = inner
  }

  var holdsMessage: Bool { inner != .request }
}

/// A field of the requests' schema, for the sentence that says what is wrong with it.
public struct WireField: Hashable, Sendable {
  let message: MessageKind
  let number: UInt32
}
