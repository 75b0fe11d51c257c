/// Reads requests off a connection's bytes, however they come in pieces. A value without a socket.
///
/// Holds `bound` bytes at most. A refusal ends the connection: where the next request would
/// begin is not known.
struct RequestReader {
  /// The result of reading the bytes so far.
  enum Step: Equatable {
    /// Nothing whole yet.
    case incomplete
    /// A request; its bytes are gone from the reader.
    case request(HTTPRequest)
    /// No request that could be answered otherwise.
    case refused(RequestRefusal)
  }

  private(set) var held: [UInt8] = []
  private let bound: Int
  private let formPath: String?
  /// No head ends before this position.
  private var searched = 0

  init(bound: Int, formPath: String? = nil) {
    self.bound = bound
    self.formPath = formPath
  }

  /// How many bytes it will take: never less than one, so that a head over the bound is seen.
  var room: Int { max(1, bound + 1 - held.count) }

  /// Whether a request has begun.
  var isMidRequest: Bool { !held.isEmpty }

  mutating func append(_ bytes: some Sequence<UInt8>) { held.append(contentsOf: bytes) }

  /// The next request, if it is whole.
  mutating func next() -> Step {
    // Empty lines before a request are of old clients that end bodies with them.
    let blank = held.prefix { $0 == UInt8(ascii: "\r") || $0 == UInt8(ascii: "\n") }.count
    if blank > 0 {
      held.removeFirst(blank)
      searched = 0
    }
    guard let end = endOfHead() else {
      guard held.count > bound else { return .incomplete }
      return .refused(held.contains(UInt8(ascii: "\n")) ? .headersTooLarge : .targetTooLong)
    }
    guard end <= bound else { return .refused(.headersTooLarge) }
    let head = held[..<end]
    do throws(RequestRefusal) {
      let parsed = try RequestHead(head, formPath: formPath)
      var request = parsed.request
      guard parsed.formBytes <= bound - end else { return .refused(.body) }
      guard held.count >= end + parsed.formBytes else { return .incomplete }
      request.form = String(decoding: held[end..<(end + parsed.formBytes)], as: UTF8.self)
      held.removeFirst(end + parsed.formBytes)
      searched = 0
      return .request(request)
    } catch {
      return .refused(error)
    }
  }

  /// The position behind the empty line that ends a head.
  private mutating func endOfHead() -> Int? {
    let feed = UInt8(ascii: "\n")
    var index = searched
    while index < held.count {
      if held[index] == feed {
        if index + 1 < held.count, held[index + 1] == feed { return index + 2 }
        if index + 2 < held.count, held[index + 1] == UInt8(ascii: "\r"), held[index + 2] == feed {
          return index + 3
        }
        // The bytes that decide may not be there yet.
        if index + 2 >= held.count { break }
      }
      index += 1
    }
    searched = index
    return nil
  }
}
