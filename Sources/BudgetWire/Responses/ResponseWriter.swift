import BudgetModel

/// Appends responses to bytes that are about to be sent: one whole frame a call, header included.
///
/// Written by hand rather than through protobuf-c's packing, which wants its structs built first;
/// this file and `MessageBytes` need no unsafe code. protoc judges the bytes in the tests.
public struct ResponseWriter: Sendable {
  /// The bounds that responses keep.
  public let bounds: WireBounds

  /// A writer that keeps `bounds`.
  public init(bounds: WireBounds = .standard) {
    self.bounds = bounds
  }

  /// Appends a reply that holds a status only; none for OK, which an absent status says.
  public func appendStatus(_ status: RPCStatus, callID: UInt64, to buffer: inout [UInt8]) {
    _ = appendFrame(callID: callID, to: &buffer) { bytes in
      if status.code == .ok { return }
      appendStatus(status.code, message: Array(status.message.utf8), to: &bytes)
    }
  }

  /// Appends the answer to FilterDeployments, with its status unless that is OK. Allocates nothing
  /// while `buffer` has room.
  ///
  /// Returns whether it fitted a frame; where not, FAILED_PRECONDITION was appended in its place.
  /// `reply` is lent, so that its owner need not copy it, and stays as it is.
  @discardableResult
  public func appendFilterDeployments(
    _ reply: inout FilterReply, callID: UInt64, to buffer: inout [UInt8]
  ) -> Bool {
    appendFrame(callID: callID, to: &buffer) { bytes in
      if reply.statusCode != .ok {
        appendStatus(reply.statusCode, message: reply.statusMessage, to: &bytes)
      }
      let allowed = reply.allowedBytes.count
      let omitted = Int(reply.denialsOmitted)
      let length =
        (allowed == 0 ? 0 : 1 + [UInt8].varintLength(allowed) + allowed)
        + reply.denialBytes.count + reply.candidateBytes.count
        + (omitted == 0 ? 0 : 1 + [UInt8].varintLength(omitted)) + reply.reservationBytes.count
      bytes.appendHead(MethodName.filterDeployments.rawValue, length: length)
      if allowed > 0 {
        bytes.appendHead(1, length: allowed)
        bytes.append(bytesOf: reply.allowedBytes.span)
      }
      if !reply.denialBytes.isEmpty { bytes.append(bytesOf: reply.denialBytes.span) }
      if !reply.candidateBytes.isEmpty { bytes.append(bytesOf: reply.candidateBytes.span) }
      bytes.appendInteger(4, UInt64(omitted))
      if !reply.reservationBytes.isEmpty { bytes.append(bytesOf: reply.reservationBytes.span) }
    }
  }

  /// Appends the answer to ReserveSpend that something is held.
  public func appendReserveSpend(
    _ reservation: FilterReply.ReservationReply, callID: UInt64, to buffer: inout [UInt8]
  ) {
    _ = appendFrame(callID: callID, to: &buffer) { bytes in
      bytes.appendMessage(MethodName.reserveSpend.rawValue) { bytes in
        if !reservation.id.isEmpty { bytes.appendBytes(1, reservation.id) }
        bytes.appendInteger(2, UInt64(bitPattern: reservation.expiresAtUnixMilliseconds))
        bytes.appendDouble(5, reservation.amountUSD)
      }
    }
  }

  /// Appends the answer to ReserveSpend that budgets lack room: `denials` was made for it. Its bound on
  /// denials keeps it within a frame.
  public func appendReserveDenied(
    _ denials: inout FilterReply, callID: UInt64, to buffer: inout [UInt8]
  ) {
    _ = appendFrame(callID: callID, to: &buffer) { bytes in
      appendStatus(denials.statusCode, message: denials.statusMessage, to: &bytes)
      bytes.appendMessage(MethodName.reserveSpend.rawValue) { bytes in
        bytes.append(bytesOf: denials.denialBytes.span)
        bytes.appendInteger(4, UInt64(denials.denialsOmitted))
      }
    }
  }

  /// Appends the answer to ReleaseReservation: whether the reservation was open until now.
  public func appendReleased(_ wasOpen: Bool, callID: UInt64, to buffer: inout [UInt8]) {
    _ = appendFrame(callID: callID, to: &buffer) { bytes in
      bytes.appendMessage(MethodName.releaseReservation.rawValue) { $0.appendFlag(1, wasOpen) }
    }
  }

  /// Appends the answer to ExtendReservation.
  public func appendExtended(
    until expiresAtUnixMilliseconds: Int64, callID: UInt64, to buffer: inout [UInt8]
  ) {
    _ = appendFrame(callID: callID, to: &buffer) { bytes in
      bytes.appendMessage(MethodName.extendReservation.rawValue) {
        $0.appendInteger(1, UInt64(bitPattern: expiresAtUnixMilliseconds))
      }
    }
  }

  /// Appends the answer to RecordSpend.
  public func appendRecordSpend(
    _ result: RecordSpendResponse, callID: UInt64, to buffer: inout [UInt8]
  ) {
    _ = appendFrame(callID: callID, to: &buffer) { bytes in
      bytes.appendMessage(MethodName.recordSpend.rawValue) { bytes in
        bytes.appendFlag(1, result.isDuplicate)
        bytes.appendInteger(2, UInt64(result.budgetsCharged))
      }
    }
  }

  /// Appends the answer to GetProviderBudgets.
  ///
  /// Returns whether it fitted a frame; where not, FAILED_PRECONDITION was appended in its place.
  @discardableResult
  public func appendProviderBudgets(
    _ result: GetProviderBudgetsResponse, callID: UInt64, to buffer: inout [UInt8]
  ) -> Bool {
    appendFrame(callID: callID, to: &buffer) { bytes in
      result.append(to: &bytes)
    }
  }

  /// Appends the answer to GetSpendHistory.
  ///
  /// Returns whether it fitted a frame; where not, FAILED_PRECONDITION was appended in its place.
  @discardableResult
  public func appendSpendHistory(
    _ result: GetSpendHistoryResponse, callID: UInt64, to buffer: inout [UInt8]
  ) -> Bool {
    appendFrame(callID: callID, to: &buffer) { bytes in
      result.append(to: &bytes)
    }
  }

  /// Appends the answer to BackupLedger: how many bytes the copy has, and where it is.
  public func appendBackupLedger(
    bytes: UInt64, path: String, callID: UInt64, to buffer: inout [UInt8]
  ) {
    _ = appendFrame(callID: callID, to: &buffer) { message in
      message.appendMessage(MethodName.backupLedger.rawValue) {
        $0.appendInteger(1, bytes)
        $0.appendText(2, path)
      }
    }
  }

  /// Appends the answer to Authenticate: what the connection may do from now on.
  public func appendAuthenticate(role: String, callID: UInt64, to buffer: inout [UInt8]) {
    _ = appendFrame(callID: callID, to: &buffer) { bytes in
      bytes.appendMessage(MethodName.authenticate.rawValue) { $0.appendText(1, role) }
    }
  }

  /// Appends the answer to Ping.
  ///
  /// Returns whether it fitted a frame; where not, FAILED_PRECONDITION was appended in its place.
  @discardableResult
  public func appendPing(
    _ result: PingResponse, callID: UInt64, to buffer: inout [UInt8]
  ) -> Bool {
    appendFrame(callID: callID, to: &buffer) { bytes in
      result.append(to: &bytes)
    }
  }

  /// Appends a frame of the call id and what `body` writes. A frame over the bound is taken back,
  /// and a status that says so goes out in its place: the caller waits for some reply.
  @inline(__always)
  func appendFrame(
    callID: UInt64, to buffer: inout [UInt8], _ body: (inout [UInt8]) -> Void
  ) -> Bool {
    let start = buffer.count
    FrameHeader.append(messageLength: 0, to: &buffer)
    buffer.appendInteger(1, callID)
    body(&buffer)
    let length = buffer.count - start - FrameHeader.byteCount
    if length > bounds.maximumResponseBytes {
      buffer.removeSubrange(start...)
      appendTooLong(length, callID: callID, to: &buffer)
      return false
    }
    FrameHeader.fill(at: start, of: &buffer)
    return true
  }

  /// Cold, and apart from `appendFrame` so that the two do not call each other without end.
  private func appendTooLong(_ length: Int, callID: UInt64, to buffer: inout [UInt8]) {
    let start = buffer.count
    FrameHeader.append(messageLength: 0, to: &buffer)
    buffer.appendInteger(1, callID)
    let message =
      "the response would have \(length) bytes, at most \(bounds.maximumResponseBytes):"
      + " ask for less at a time"
    appendStatus(.failedPrecondition, message: Array(message.utf8), to: &buffer)
    FrameHeader.fill(at: start, of: &buffer)
  }

  /// Appends a status other than OK, its message cut before the character that would pass the bound.
  private func appendStatus(_ code: StatusCode, message: [UInt8], to bytes: inout [UInt8]) {
    var length = min(message.count, bounds.maximumStatusMessageBytes)
    if length < message.count {
      while length > 0, message[length] & 0xC0 == 0x80 { length -= 1 }
    }
    let textLength = length == 0 ? 0 : 1 + [UInt8].varintLength(length) + length
    bytes.appendHead(2, length: 2 + textLength)
    bytes.appendInteger(1, UInt64(code.rawValue))
    if length > 0 { bytes.appendBytes(2, message[..<length]) }
  }
}
