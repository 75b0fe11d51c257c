/// The local clock: its readings, and their instants. Local seconds are seconds since 1970-01-01T00:00:00 of the
/// local clock. A search allocates nothing and takes as many steps as the table has binary digits.
extension ZoneTable {
  /// The clock's reading at `second`.
  func localSecond(at second: Int64) -> Int64 { second + offset(ofStretch: stretch(at: second)) }

  /// The first second at which the clock shows `local` or a later time.
  func firstSecond(showing local: Int64) -> Int64 {
    // Before this it showed less, whatever its offset was.
    var stretch = stretch(at: local - Self.offsetBound)
    while true {
      let reached = local - offset(ofStretch: stretch)
      let first = stretch == 0 ? reached : max(reached, transitions[stretch - 1].at)
      if stretch == transitions.count || first < transitions[stretch].at { return first }
      stretch += 1
    }
  }

  /// The last second up to `second` at which an hour began.
  ///
  /// An hour begins where the clock shows a full hour, a repeated one too, and where a change of the
  /// clock takes it into another hour: no window holds instants of two hours of the clock. Where the
  /// clock jumps from 02:00 to 02:30, that hour has 30 minutes; where it goes back from 02:00 to
  /// 01:30, the hour from 01:00 goes on, and has 90.
  func hourStart(at second: Int64) -> Int64 {
    var last = second
    var stretch = stretch(at: second)
    while true {
      let local = last + offset(ofStretch: stretch)
      let full = last - CalendarDate.floorDivide(local, 3_600).remainder
      guard stretch > 0, full < transitions[stretch - 1].at else { return full }
      let change = transitions[stretch - 1].at
      if isHourStart(change: stretch) { return change }
      last = change - 1
      stretch -= 1
    }
  }

  /// The first second past `second` at which an hour begins.
  func hourStart(after second: Int64) -> Int64 {
    var last = second
    var stretch = stretch(at: second)
    while true {
      let local = last + offset(ofStretch: stretch)
      let full = last - CalendarDate.floorDivide(local, 3_600).remainder + 3_600
      guard stretch < transitions.count, transitions[stretch].at <= full else { return full }
      stretch += 1
      last = transitions[stretch - 1].at
      if isHourStart(change: stretch) { return last }
    }
  }

  /// Whether an hour begins at the change of the clock that `stretch` begins with.
  private func isHourStart(change stretch: Int) -> Bool {
    let change = transitions[stretch - 1].at
    let after = CalendarDate.floorDivide(change + offset(ofStretch: stretch), 3_600)
    let before = CalendarDate.floorDivide(change - 1 + offset(ofStretch: stretch - 1), 3_600)
    return after.remainder == 0 || after.quotient != before.quotient
  }

  /// Between changes the clock runs evenly: stretch 0 lies before the first one, and each change
  /// begins the stretch of its number, counted from 1.
  private func stretch(at second: Int64) -> Int {
    var low = 0
    var high = transitions.count
    while low < high {
      let middle = (low + high) / 2
      if transitions[middle].at <= second { low = middle + 1 } else { high = middle }
    }
    return low
  }

  private func offset(ofStretch stretch: Int) -> Int64 {
    Int64(stretch == 0 ? firstOffset : transitions[stretch - 1].offset)
  }
}
