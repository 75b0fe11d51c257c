import Synchronization
import Testing

@testable import Sockets
@testable import TCPTransport

extension TCPServerTests {
  private func client(
    of server: TCPServer, _ change: (inout ClientBounds) -> Void = { _ in }
  ) async throws -> (ClientConnection, AsyncStream<ClientEvent>.Iterator) {
    var bounds = ClientBounds()
    change(&bounds)
    let (events, continuation) = AsyncStream<ClientEvent>.makeStream()
    let connection = try await ClientConnection.connect(
      to: .tcp(server.localAddress), bounds: bounds
    ) {
      continuation.yield($0)
      if case .closed = $0 { continuation.finish() }
    }
    return (connection, events.makeAsyncIterator())
  }

  @Test func aClientSendsAndReceives() async throws {
    let server = try echoServer()
    var (client, events) = try await client(of: server)
    for number in 0..<1_000 { try await client.send(frame("\(number)")) }
    for number in 0..<1_000 {
      guard case .frame(let body) = await events.next() else { throw TransportError.closed }
      #expect(body == Array("\(number)".utf8))
    }
    await client.close()
    guard case .closed(nil) = await events.next() else { throw TransportError.closed }
    await #expect(throws: TransportError.closed) { try await client.send(frame("x")) }
    try await eventually("the server sees the end") { server.counters.connectionsOpen == 0 }
  }

  @Test func aClientWaitsWhileTheServerDoesNotRead() async throws {
    let server = try echoServer { $0.unsentBytes = 1024 }
    let (connection, iterator) = try await client(of: server) { $0.unsentBytes = 10_000 }
    var events = iterator
    let body = [UInt8](repeating: 1, count: 100_000)
    async let sending: Void = {
      for _ in 0..<200 { try await connection.send(frame(body)) }
    }()
    for _ in 0..<200 {
      guard case .frame(let echoed) = await events.next() else { throw TransportError.closed }
      #expect(echoed.count == body.count)
    }
    try await sending
    await connection.close()
  }

  @Test func aClientRefusesFramesOverItsBound() async throws {
    let server = try echoServer()
    var (client, events) = try await client(of: server) { $0.responseFrameBytes = 1_000 }
    try await client.send(frame("b"))
    guard case .closed(.frameTooLarge(let length, let bound)) = await events.next() else {
      throw TransportError.closed
    }
    #expect((length, bound) == (1024 * 1024, 1_000))
  }

  @Test func aClientHearsOfTheEnd() async throws {
    let server = try echoServer()
    var (client, events) = try await client(of: server)
    try await client.send(frame("c"))
    guard case .frame = await events.next() else { throw TransportError.closed }
    guard case .closed(nil) = await events.next() else { throw TransportError.closed }
  }

  @Test func connectingToNobodyFails() async throws {
    let address: SocketAddress
    do {
      let server = try echoServer()
      address = server.localAddress
      await server.drain(within: .seconds(1))
    }
    await #expect(throws: TransportError.self) {
      _ = try await ClientConnection.connect(to: .tcp(address)) { _ in }
    }
  }
}
