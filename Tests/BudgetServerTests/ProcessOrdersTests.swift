import Testing

@testable import BudgetServer

@Suite struct ProcessOrdersTests {
  private func actions(_ events: [ProcessOrders.Event]) -> [ProcessOrders.Action?] {
    var orders = ProcessOrders()
    return events.map { orders.take($0) }
  }

  @Test func oneReloadRunsAndOneWaits() {
    #expect(
      actions([.ready, .reload, .reload, .reload, .reload, .reloaded, .reloaded, .reload])
        == [.announce, .beginReload, nil, nil, nil, .beginReload, nil, .beginReload])
  }

  @Test func theEndComesBeforeReloads() {
    #expect(
      actions([.reload, .reload, .end, .reloaded, .reload])
        == [.beginReload, nil, .drain, nil, nil])
    #expect(actions([.end, .reload, .ready, .end]) == [.drain, nil, nil, nil])
  }

  @Test func areloadThatIsAskedForBeforeTheServerIsReadyRuns() {
    #expect(actions([.reload, .ready, .reloaded]) == [.beginReload, .announce, nil])
  }

  /// Whatever comes, in whatever order: reloads never overlap, one is lost only to the end, and
  /// after that nothing begins.
  @Test func allOrdersUpToSevenEvents() {
    let events: [ProcessOrders.Event] = [.ready, .reload, .reloaded, .end]
    for code in 0..<(4 * 4 * 4 * 4 * 4 * 4 * 4) {
      var orders = ProcessOrders()
      var (running, asked, ended, rest) = (false, false, false, code)
      for _ in 0..<7 {
        let event = events[rest % 4]
        rest /= 4
        if event == .reloaded, !running { continue }
        if event == .reload { asked = true }
        if event == .reloaded { running = false }
        switch orders.take(event) {
        case .beginReload:
          #expect(!running && !ended)
          (running, asked) = (true, false)
        case .drain:
          #expect(!ended)
          ended = true
        case .announce, nil: break
        }
        #expect(orders.isReloading == running)
        #expect(ended || running || !asked, "a reload was forgotten")
      }
    }
  }
}
