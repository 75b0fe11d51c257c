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

  /// Loads the server with pairs of requests, as `PairReport` says: plain ones, and such that reserve,
  /// in turns, each for as long as `plan` says. Throws as `load`.
  public func loadPairs(_ plan: LoadPlan) throws(BudgetClientError) -> PairReport {
    precondition(plan.connections >= 1 && plan.depth >= 1, "a load without a request under way")
    let connections = try connections(plan.connections)
    var driver: PairDriver
    do throws(WireFault) {
      driver = try PairDriver(plan, startingAt: .now())
    } catch {
      throw .notApplied(.unsendable(error))
    }
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
    let greeting = try greeting()
    do throws(TransportError) {
      return try PipelinedConnections(
        to: address, count: count, bounds: bounds, security: security,
        greeting: greeting)
    } catch {
      throw .notApplied(.unreachable(server: address, error))
    }
  }

  /// Who the client is, said on each connection.
  private func greeting() throws(BudgetClientError) -> PipelinedConnections.Greeting? {
    guard let token = settings.token else { return nil }
    let frame = try Introduction.frame(token.revealed(), timeout: settings.timeout)
    return PipelinedConnections.Greeting(frame: frame) { body in
      var decoder = ResponseDecoder()
      do throws(ResponseFault) {
        return Introduction.refusal(in: try decoder.response(frame: body.span))?.description
      } catch {
        return error.description
      }
    }
  }
}
