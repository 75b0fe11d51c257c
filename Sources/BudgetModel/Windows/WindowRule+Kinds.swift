extension WindowRule {
  /// Whether both are windows of one unit of the calendar, or of one length, however they are written:
  /// a name has only one of them. Zone and first day make no other window.
  public func isLike(_ other: WindowRule) -> Bool {
    switch (self, other) {
    case (.rolling(let mine), .rolling(let other)): mine == other
    case (.calendar(let mine), .calendar(let other)): mine.unit == other.unit
    case (.rolling, .calendar), (.calendar, .rolling): false
    }
  }
}
