import BudgetClient
import BudgetModel
import Foundation
import JSONWriting

/// Shows the budgets again and again, until Ctrl-C; a server that goes away and comes back is said
/// so and waited for.
struct BudgetsWatch {
  let command: BudgetsCommand
  let client: BudgetClient

  func run() async {
    let watching = Task { await watch() }
    // A signal that nobody handles would end the process with the terminal as it is.
    let signals = [SIGINT, SIGTERM].map { number in
      signal(number, SIG_IGN)
      let source = DispatchSource.makeSignalSource(signal: number)
      source.setEventHandler { watching.cancel() }
      source.activate()
      return source
    }
    await watching.value
    for source in signals { source.cancel() }
    client.close()
  }

  private func watch() async {
    let isScreen = command.output == .table && Terminal.current().isInteractive
    if isScreen { Terminal.write(WatchScreen.begin) }
    var state = WatchState()
    let clock = ContinuousClock()
    var next = clock.now
    while !Task.isCancelled {
      await look(&state, isScreen: isScreen)
      next = max(next.advanced(by: .seconds(command.interval)), clock.now)
      // Sleeping ends early for one reason only, which the loop looks at.
      try? await Task.sleep(until: next, clock: clock)
    }
    guard isScreen else { return }
    Terminal.write(WatchScreen.end)
    // The last picture stays in the terminal.
    if let (report, _) = state.report {
      Terminal.write(lines: report.lines(command.table(Terminal.current())))
    }
  }

  private func look(_ state: inout WatchState, isScreen: Bool) async {
    var news: String?
    var isFresh = false
    do throws(BudgetClientError) {
      let report = try await command.question.report(from: client)
      news = state.answered(report, at: BudgetsCommand.now())
      isFresh = true
    } catch {
      if Task.isCancelled { return }
      // Without the advice: whoever watches waits for the server, and there is one line for it.
      let message = isScreen ? error.description : Failure(error, server: client.server).message
      news = state.failed(message.printable, at: BudgetsCommand.now())
    }
    if isScreen {
      draw(state)
      return
    }
    if let news { Terminal.complain(news) }
    guard isFresh, let (report, _) = state.report else { return }
    switch command.output {
    case .json: Terminal.write(lines: [JSONValue.array(report.json).text])
    case .table: Terminal.write(lines: report.lines(command.table(Terminal.current())) + [""])
    }
  }

  private func draw(_ state: WatchState) {
    let terminal = Terminal.current()
    let now = BudgetsCommand.now()
    let time = Timestamp(unixMilliseconds: now / 1_000 * 1_000).iso8601.prefix(19)
    var lines = ["budgetd at \(client.server), \(time)Z; Ctrl-C ends", ""]
    let notice = state.notice(at: now)
    if !notice.isEmpty { lines += notice + [""] }
    if let (report, _) = state.report { lines += report.lines(command.table(terminal)) }
    Terminal.write(WatchScreen.picture(lines, rows: terminal.size?.rows))
  }
}
