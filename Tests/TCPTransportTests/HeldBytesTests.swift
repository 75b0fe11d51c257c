import Locks
import Testing

@testable import TCPTransport

@Suite struct HeldBytesTests {
  @Test func eachMayHaveAQuarterOfWhatIsLeft() {
    let held = HeldBytes(bound: 1_000)
    #expect(held.allowance == 250)
    held.change(from: 0, to: 200)
    #expect(held.allowance == 200)
    held.change(from: 200, to: 1_400)
    #expect(held.allowance == 0)
    #expect(held.isOverBound)
  }

  /// However many take all that they are given, there is room left for one that asks little.
  @Test(arguments: [1, 4, 60, 1_000])
  func greedyConnectionsNeverReachTheBound(_ count: Int) {
    let held = HeldBytes(bound: 100_000_000)
    var shares = [Int](repeating: 0, count: count)
    for _ in 0..<200 {
      for index in shares.indices where shares[index] < held.allowance {
        let grown = min(held.allowance, shares[index] + 50_000)
        held.change(from: shares[index], to: grown)
        shares[index] = grown
      }
    }
    #expect(held.total == shares.reduce(0, +))
    #expect(!held.isOverBound)
    #expect(held.allowance > 0)
  }

  @Test func theAverageIsOfThoseThatHoldSomething() {
    let held = HeldBytes(bound: 1_000)
    held.change(from: 0, to: 100)
    held.change(from: 0, to: 300)
    #expect(held.average == 200)
    held.change(from: 100, to: 0)
    #expect(held.average == 300)
    held.change(from: 300, to: 0)
    #expect((held.average, held.total) == (0, 0))
  }

  @Test func aFallIsToldOnce() {
    let mebibyte = 1_048_576
    let held = HeldBytes(bound: 100 * mebibyte)
    let told = Locked<[MemoryNotice]>([])
    held.watch { notice in told.withLock { $0.append(notice) } }
    held.change(from: 0, to: 20 * mebibyte)
    held.change(from: 20 * mebibyte, to: 15 * mebibyte)
    #expect(told.withLock { $0 }.isEmpty)
    held.change(from: 15 * mebibyte, to: 5 * mebibyte)
    held.change(from: 5 * mebibyte, to: 0)
    #expect(told.withLock { $0 } == [.freed])
  }
}

extension TCPServerTests {
  /// Peers that read nothing leave what all may hold to those that do.
  @Test(arguments: [1, 2])
  func greedyReadersAreStoppedAndOthersServed(_ lanes: Int) async throws {
    let bound = 48 * 1024 * 1024
    let server = try echoServer(lanes: lanes) { $0.unsentTotalBytes = bound }
    var peers: [TestPeer] = []
    for _ in 0..<30 {
      let peer = try TestPeer(to: server.localAddress, receiveBuffer: 4_096)
      try peer.send((0..<20).flatMap { _ in frame("b") })
      peers.append(peer)
    }
    try await eventually("stopped") { server.counters.stoppedByTotal > 0 }
    let other = try TestPeer(to: server.localAddress)
    for number in 0..<100 {
      try other.send(frame("\(number)"))
      #expect(try other.receive() == Array("\(number)".utf8))
      // Past the bound by one turn of one lane at most.
      #expect(server.counters.heldBytes < bound + lanes * 2 * 1024 * 1024)
    }
    peers = []
    try await eventually("given back") { server.counters.heldBytes == 0 }
  }

  /// Requests that do not end count too: the longest go, whichever lane they are on.
  @Test(arguments: [1, 3])
  func halfFramesPastTheBoundAreClosedGreatestFirst(_ lanes: Int) async throws {
    let server = try echoServer(lanes: lanes) { $0.unsentTotalBytes = 8 * 1024 * 1024 }
    let small = try TestPeer(to: server.localAddress)
    try small.send([0, 0, 0, 5])
    var peers: [TestPeer] = []
    for _ in 0..<100 {
      let peer = try TestPeer(to: server.localAddress)
      // Those that were closed for it cannot take all of it.
      try? peer.send([0, 3, 0xFF, 0xFF] + [UInt8](repeating: 1, count: 200_000))
      peers.append(peer)
    }
    try await eventually("closed") { server.counters.closedForMemory >= 50 }
    try await eventually("within the bound") { server.counters.heldBytes <= 8 * 1024 * 1024 }
    try small.send(Array("hello".utf8))
    #expect(try small.receive() == Array("hello".utf8))
    _ = peers
  }
}

@Suite struct TransportBoundsTests {
  @Test func enoughDescriptorsChangeNothing() {
    #expect(TransportBounds.standard.fitted(to: 20_000) == .standard)
  }

  /// However few there are, peers cannot have them all.
  @Test(arguments: [16, 64, 256, 1_024, 4_096, 17_407])
  func someAreLeftToTheRestOfTheProcess(_ limit: Int) {
    let fitted = TransportBounds.standard.fitted(to: limit)
    let taken = fitted.connections + fitted.refusalsUnderWay
    #expect(fitted.connections >= 1)
    #expect(taken <= limit - min(limit / 2, 128))
    #expect(taken >= limit / 2 - 1)
  }
}
