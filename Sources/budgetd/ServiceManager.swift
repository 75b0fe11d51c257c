import BudgetModel
import BudgetServer
import Dispatch
import Foundation
import Sockets

/// Whoever supervises the process, as systemd does (sd_notify(3)): it hears when the process is ready,
/// reads its configuration again or ends, and, where it asks for that, a sign of life.
final class ServiceManager: Sendable {
  private let socket: DatagramSocket?
  /// How often a sign of life is due; nil: nobody asks for one.
  let interval: Duration?
  private let queue = DispatchQueue(label: "budgetd.watchdog", qos: .utility)

  /// Reads `NOTIFY_SOCKET`, `WATCHDOG_USEC` and `WATCHDOG_PID`.
  init(environment: [String: String], processID: Int32 = getpid()) {
    let path = environment["NOTIFY_SOCKET"] ?? ""
    socket = path.isEmpty ? nil : DatagramSocket(to: path)
    interval = Self.interval(environment, processID: processID)
  }

  /// The time between two signs of life: half of what is allowed, so that one may come late.
  static func interval(_ environment: [String: String], processID: Int32) -> Duration? {
    guard let text = environment["WATCHDOG_USEC"], let microseconds = Int64(text), microseconds > 0
    else { return nil }
    let owner = environment["WATCHDOG_PID"] ?? ""
    guard owner.isEmpty || owner == String(processID) else { return nil }
    return .microseconds(max(1, microseconds / 2))
  }

  /// The server answers.
  func ready() { tell("READY=1\nSTATUS=serving") }

  /// The configuration is read again; `ready` follows.
  func reloading() {
    tell(
      "RELOADING=1\nMONOTONIC_USEC=\(MonotonicInstant.now().nanoseconds / 1_000)\nSTATUS=reloading")
  }

  /// The process is ending.
  func stopping() { tell("STOPPING=1\nSTATUS=draining") }

  /// Gives signs of life for as long as every lane and the ledger go round. One that hangs ends them.
  func watch(_ server: BudgetServer) {
    guard let interval, hasSocket else { return }
    beat(server, every: interval)
  }

  private func beat(_ server: BudgetServer, every interval: Duration) {
    server.beat { [self] in
      tell("WATCHDOG=1")
      queue.asyncAfter(deadline: .now() + .nanoseconds(Int(clamping: interval.nanoseconds))) {
        [self] in beat(server, every: interval)
      }
    }
  }

  private var hasSocket: Bool {
    switch socket {
    case .some: true
    case .none: false
    }
  }

  private func tell(_ state: String) {
    switch socket {
    case .some(let socket): socket.send(state)
    case .none: break
    }
  }
}
