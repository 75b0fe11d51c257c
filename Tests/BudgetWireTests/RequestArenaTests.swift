import Testing

@testable import BudgetWire

@Suite struct RequestArenaTests {
  @Test func theBoundIsMetExactly() {
    var arena = RequestArena()
    for bound in [0, 8, 64 * 1024, 4 * 1024 * 1024] {
      arena.begin(bound: bound)
      var left = bound
      while left > 0 {
        let size = min(left, 24)
        #expect(unsafe arena.allocate(size) != nil)
        left -= size
      }
      #expect(arena.usedBytes == bound)
      #expect(arena.isExhausted == false)
      #expect(unsafe arena.allocate(1) == nil)
      #expect(arena.isExhausted == true)
      #expect(arena.usedBytes == bound)
    }
    arena.begin(bound: 64)
    #expect(unsafe arena.allocate(65) == nil)
    #expect(unsafe arena.allocate(.max) == nil)
    #expect(unsafe arena.allocate(-1) == nil)
    #expect(unsafe arena.allocate(64) != nil)
  }

  @Test func aSizeThatOnlyItsRoundingTakesPastTheBoundIsRefused() {
    var arena = RequestArena()
    arena.begin(bound: 20)
    #expect(unsafe arena.allocate(20) == nil)
    #expect(unsafe arena.allocate(16) != nil)
    #expect(unsafe arena.allocate(4) == nil)
    #expect(arena.usedBytes == 16)
    #expect(arena.isExhausted == true)
  }

  @Test func theBoundFollowsTheFrame() {
    #expect(WireBounds.arenaBytes(forRequestOf: 0) == 262_144)
    #expect(WireBounds.arenaBytes(forRequestOf: 1000) == 278_144)
    #expect(WireBounds.arenaBytes(forRequestOf: 245_760) == 4_194_304)
    #expect(WireBounds.arenaBytes(forRequestOf: 262_144) == 4_194_304)
  }

  @Test func aFreshArenaIsSmallAndALargeChunkIsKept() {
    var arena = RequestArena()
    #expect(arena.heldBytes == 64 * 1024)
    arena.begin(bound: 4 * 1024 * 1024)
    while unsafe arena.allocate(4096) != nil {}
    #expect(arena.heldBytes <= 8 * 1024 * 1024 + 16)
    arena.begin(bound: 4 * 1024 * 1024)
    #expect(arena.heldBytes == 4 * 1024 * 1024 + 16)
    while unsafe arena.allocate(4096) != nil {}
    #expect(arena.usedBytes == 4 * 1024 * 1024)
    #expect(arena.heldBytes == 4 * 1024 * 1024 + 16)
  }

  @Test func pointersHoldWhileChunksAreAdded() {
    var arena = RequestArena()
    arena.begin(bound: 1024 * 1024)
    var pointers: [UnsafeMutableRawPointer] = unsafe []
    while let pointer = unsafe arena.allocate(1000) {
      unsafe pointer.initializeMemory(
        as: UInt8.self, repeating: UInt8(truncatingIfNeeded: pointers.count), count: 1000)
      unsafe pointers.append(pointer)
    }
    #expect(unsafe pointers.count == 1048)
    for index in 0..<1048 {
      let pointer = unsafe pointers[index]
      #expect(UInt(bitPattern: pointer) % 8 == 0)
      for offset in stride(from: 0, to: 1000, by: 111) {
        let byte = unsafe pointer.load(fromByteOffset: offset, as: UInt8.self)
        #expect(byte == UInt8(truncatingIfNeeded: index))
      }
    }
  }
}
