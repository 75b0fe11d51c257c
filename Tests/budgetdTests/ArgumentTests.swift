import ArgumentParser
import BudgetFleet
import BudgetServer
import BudgetWire
import Reconciliation
import TCPTransport
import Testing

@testable import budgetd

/// The values of options: a refusal names the value, the bound and the way out.
@Suite struct ArgumentTests {
  private func refusal<Arguments: ParsableArguments>(
    _ type: Arguments.Type, _ arguments: [String]
  ) -> String {
    do {
      _ = try type.parse(arguments)
      return "accepted"
    } catch {
      return type.message(for: error)
    }
  }

  @Test(arguments: [
    (["--lanes", "0"], "--lanes 0: give 1 to 64"), (["--lanes", "65"], "--lanes 65: give 1 to 64"),
    (["--max-tags", "4097"], "--max-tags 4097: give 1 to 4096"),
    (["--max-unsent-total", "1"], "--max-unsent-total 1: give 8388608 to 1099511627776"),
    (["--frame-timeout", "0"], "--frame-timeout 0.0: give 0.01 to 86400 seconds"),
    (["--stall-timeout", "nan"], "--stall-timeout nan: give 0.01 to 86400 seconds"),
    (["--spin", "1001"], "--spin 1001: give 0 to 1000"),
  ])
  func boundsHaveBounds(arguments: [String], text: String) {
    #expect(refusal(BoundArguments.self, arguments) == text)
  }

  @Test func anEmptyNameOfRedisIsNone() {
    #expect(
      refusal(RedisArguments.self, ["--redis-server-name", ""])
        == "--redis-server-name '': give the name in Redis' certificates, or leave the option out "
        + "where that is the host")
    #expect(refusal(RedisArguments.self, ["--redis-server-name", "n"]) == "accepted")
  }

  @Test func boundsReachTheServer() throws {
    let arguments = try BoundArguments.parse([
      "--max-connections", "7", "--max-request-bytes", "2048", "--max-tags", "9", "--lanes", "3",
      "--idle-timeout", "1.5", "--max-unsent-total", "8388608",
    ])
    var options = ServerOptions(configPath: "c", dataDirectory: "d")
    arguments.apply(to: &options)
    #expect(options.transport.connections == 7 && options.laneCount == 3)
    #expect(options.transport.requestFrameBytes == 2_048)
    #expect(options.wire.maximumRequestBytes == 2_048 && options.wire.maximumTags == 9)
    #expect(options.transport.idleDuration == .seconds(1.5))
    #expect(options.transport.unsentTotalBytes == 8_388_608)
  }

  @Test(arguments: [
    (["--fleet-size", "0"], "--fleet-size 0: give 1 to 10000"),
    (
      ["--reconcile-interval-ms", "49"], "--reconcile-interval-ms 49: give 50 to 60000 milliseconds"
    ),
    (["--clock-jump-bound-s", "9"], "--clock-jump-bound-s 9: give 10 to 31536000 seconds"),
    (["--reserve-wait", "9"], "--reserve-wait 9: give 10 to 60000 milliseconds"),
  ])
  func theFleetHasBounds(arguments: [String], text: String) {
    #expect(refusal(FleetArguments.self, arguments) == text)
  }

  @Test func theFleetsOptionsReachTheServer() throws {
    let options = try FleetArguments.parse([
      "--outage-policy", "closed", "--fleet-size", "3", "--reconcile-interval-ms", "50",
      "--clock-jump-bound-s", "10", "--reservations", "shared", "--reserve-wait", "20",
      "--shared-budget", "tag:a*", "--shared-budget", "total",
    ]).options
    #expect(options.reservations.mode == .shared && options.reservations.wait == .milliseconds(20))
    #expect(options.reservations.shared == ["tag:a*", "total"].compactMap { SharedBudgets($0) })
    #expect(throws: (any Error).self) { try FleetArguments.parse(["--shared-budget", "tags"]) }
    #expect(options.policy == .closed && options.size == 3)
    #expect(options.interval == .milliseconds(50) && options.clockJumpBound == .seconds(10))
  }

  @Test(arguments: [
    (["--backups-kept", "10001"], "--backups-kept 10001: give 0 to 10000"),
    (["--keys-kept", "999"], "--keys-kept 999: give 1000 to 1000000000"),
    (["--backup-dir", ""], "--backup-dir '': give a directory"),
  ])
  func theLedgerHasBounds(arguments: [String], text: String) {
    #expect(refusal(LedgerArguments.self, arguments) == text)
  }

  @Test(arguments: [
    (["--node-id", "a b"], "--node-id 'a b'"), (["--metrics-tags", "100001"], "--metrics-tags"),
    (["--trace-bytes", "1"], "--trace-bytes 1: give "),
  ])
  func theServiceRefusesWhatCannotBe(arguments: [String], text: String) throws {
    let service = try ServiceArguments.parse(
      ["--config", "c.yaml", "--data-dir", "/nowhere"] + arguments)
    do throws(ServerError) {
      _ = try service.options()
      Issue.record("accepted")
    } catch {
      #expect(error.description.contains(text))
    }
  }
}
