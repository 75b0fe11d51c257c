extension ResponseWriter {
  /// Room for the counts behind the lists, and for lengths that take more than a byte.
  private static let roomForCounts = 64

  /// Appends the answer to ExplainRequest. Candidates and tags that no longer fit the frame are left
  /// out and counted; tags take at most half of it.
  ///
  /// Returns whether it fitted a frame.
  @discardableResult
  public func appendExplained(
    _ result: ExplainRequestResponse, callID: UInt64, to buffer: inout [UInt8]
  ) -> Bool {
    appendFrame(callID: callID, to: &buffer) { bytes in
      bytes.appendMessage(MethodName.explainRequest.rawValue) { bytes in
        let start = bytes.count
        let room = bounds.maximumResponseBytes - Self.roomForCounts
        let tags = Self.append(result.tags.count, to: &bytes, upTo: start + room / 2) {
          result.tags[$0].append(as: 1, to: &$1)
        }
        let candidates = Self.append(result.candidates.count, to: &bytes, upTo: start + room) {
          result.candidates[$0].append(as: 2, to: &$1)
        }
        bytes.appendInteger(3, UInt64(result.candidatesOmitted) + UInt64(candidates))
        bytes.appendInteger(4, UInt64(result.tagsOmitted) + UInt64(tags))
      }
    }
  }

  /// Appends entries while the bytes end before `end`; returns how many did not fit.
  private static func append(
    _ count: Int, to bytes: inout [UInt8], upTo end: Int, _ entry: (Int, inout [UInt8]) -> Void
  ) -> Int {
    for index in 0..<count {
      let before = bytes.count
      entry(index, &bytes)
      if bytes.count > end {
        bytes.removeSubrange(before...)
        return count - index
      }
    }
    return 0
  }
}
