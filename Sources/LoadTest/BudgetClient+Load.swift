public import BudgetClient
import BudgetWire
import Sockets
import TCPTransport

extension BudgetClient {
  /// Loads the server as `plan` says, over connections of its own, and returns what was seen once
  /// the last request is answered. Keeps the calling thread busy until then.
  ///
  /// Throws `unreachable` or `connectionLost` where connections cannot be made or end, or nothing is
  /// answered within the settings' timeout.
  public func load(_ plan: LoadPlan) throws(BudgetClientError) -> LoadReport {
    precondition(plan.connections >= 1 && plan.depth >= 1, "a load without a request under way")
    let frames: LoadFrames
    do throws(WireFault) {
      frames = try LoadFrames(plan)
    } catch {
      throw .notApplied(.unsendable(error))
    }
    let connections = try connections(plan.connections)
    var driver = LoadDriver(plan, frames, startingAt: .now())
    do throws(TransportError) {
      try connections.run(&driver, patience: settings.timeout)
    } catch {
      throw .unknown(.lost(error))
    }
    if let stray = driver.stray { throw .unknown(.unreadableAnswer(stray)) }
    return driver.report
  }

  private func connections(_ count: Int) throws(BudgetClientError) -> PipelinedConnections {
    var bounds = ClientBounds()
    bounds.connectDuration = settings.timeout
    do throws(TransportError) {
      return try PipelinedConnections(to: address, count: count, bounds: bounds)
    } catch {
      throw .notApplied(.unreachable(server: address, error))
    }
  }
}
