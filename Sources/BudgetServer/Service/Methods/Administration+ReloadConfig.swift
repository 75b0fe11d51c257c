import BudgetWire

extension Administration {
  /// Reads the configuration again and puts it in force.
  func reloadConfig(
    _ head: RequestHead, _ decoder: inout RequestDecoder
  ) throws(ServiceRefusal) -> @Sendable (ChangeDesk) -> Void {
    do throws(WireFault) {
      try decoder.judge(head)
    } catch {
      throw ServiceRefusal(error.code, error.description)
    }
    return { desk in
      answer(desk.reload(for: author), of: desk) { $0.appendReloadConfig($1, callID: $2, to: &$3) }
    }
  }
}
