import Testing

@testable import BudgetServer

/// Texts as Linux writes them; the groups' files by path.
@Suite struct MemoryLimitTests {
  private static let mebibyte = 1_048_576
  private static let mounts2 = """
    22 1 8:1 / / rw,relatime - ext4 /dev/sda1 rw
    31 22 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate
    """
  private static let mounts1 = """
    31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
    32 31 0:29 / /sys/fs/cgroup/cpu rw,relatime - cgroup cgroup rw,cpu
    35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory
    41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw
    """

  private func limit(
    groups: String = "", mounts: String = "", limits: String = "", files: [String: String] = [:]
  ) -> Int {
    MemoryLimit(
      physicalBytes: 16_384 * Self.mebibyte, limits: limits, groups: groups, mounts: mounts,
      read: { files[$0] }
    ).bytes / Self.mebibyte
  }

  @Test func aMachineWithoutLimits() {
    #expect(limit() == 16_384)
    #expect(
      limit(
        groups: "0::/user.slice", mounts: Self.mounts2,
        files: ["/sys/fs/cgroup/user.slice/memory.max": "max\n"]) == 16_384)
    #expect(
      limit(
        groups: "4:memory:/a", mounts: Self.mounts1,
        files: ["/sys/fs/cgroup/memory/a/memory.limit_in_bytes": "9223372036854771712\n"])
        == 16_384)
  }

  @Test func versionTwoCountsTheOwnGroupAndThoseAboveIt() {
    let own = "/sys/fs/cgroup/system.slice/budgetd.service/"
    let groups = "0::/system.slice/budgetd.service\n"
    #expect(
      limit(groups: groups, mounts: Self.mounts2, files: [own + "memory.max": "268435456\n"]) == 256
    )
    #expect(
      limit(
        groups: groups, mounts: Self.mounts2,
        files: [own + "memory.max": "268435456\n", own + "memory.high": "134217728\n"]) == 128)
    #expect(
      limit(
        groups: groups, mounts: Self.mounts2,
        files: [
          own + "memory.max": "max\n", "/sys/fs/cgroup/system.slice/memory.max": "67108864\n",
        ]) == 64)
    // Another group's limit is not ours.
    #expect(
      limit(
        groups: groups, mounts: Self.mounts2,
        files: ["/sys/fs/cgroup/user.slice/memory.max": "67108864\n"]) == 16_384)
  }

  @Test func versionOne() {
    #expect(
      limit(
        groups: "5:devices:/\n4:cpu,memory:/jobs/7\n0::/\n", mounts: Self.mounts1,
        files: ["/sys/fs/cgroup/memory/jobs/7/memory.limit_in_bytes": "314572800\n"]) == 300)
  }

  /// A container sees its own group at the root of the mount, under the path that the host gave it.
  @Test func aContainer() {
    let mounts = """
      35 31 0:32 /docker/ab12 /sys/fs/cgroup/memory ro,relatime - cgroup cgroup rw,memory
      """
    let files = ["/sys/fs/cgroup/memory/memory.limit_in_bytes": "104857600\n"]
    #expect(limit(groups: "4:memory:/docker/ab12\n", mounts: mounts, files: files) == 100)
    #expect(limit(groups: "4:memory:/elsewhere\n", mounts: mounts, files: files) == 100)
    #expect(
      limit(
        groups: "0::/../../init.scope\n", mounts: Self.mounts2,
        files: ["/sys/fs/cgroup/memory.max": "104857600\n"]) == 100)
  }

  @Test func resourceLimits() {
    let limits = """
      Limit                     Soft Limit           Hard Limit           Units     
      Max data size             unlimited            unlimited            bytes     
      Max address space         307200000            unlimited            bytes     
      """
    #expect(limit(limits: limits) == 292)
    let data = limits.replacing("size             unlimited", with: "size  104857600")
    #expect(limit(limits: data) == 100)
    #expect(limit(limits: "") == 16_384)
    #expect(MemoryLimit(physicalBytes: 1, limits: limits).isShortOfAddresses)
    #expect(
      !MemoryLimit(physicalBytes: 1, limits: limits.replacing("307200000", with: "unlimited"))
        .isShortOfAddresses)
  }

  @Test(arguments: [(300_000, 37_500), (100, 8_388), (16_000_000, 536_870)])
  func connectionsMayHoldAnEighth(_ kilobytes: Int, _ expected: Int) {
    #expect(
      MemoryLimit(physicalBytes: kilobytes * 1_000).unsentTotalBytes / 1_000 == expected)
  }

  @Test func thisMachineHasALimit() {
    #expect(MemoryLimit.ofThisProcess.bytes > 64 * Self.mebibyte)
  }

  @Test(arguments: [("104857600", true), ("201326591", true), ("201326592", false)])
  func tooFewAddressesAreNamed(_ bytes: String, _ isTooFew: Bool) {
    let limits = "Max address space         \(bytes)            unlimited            bytes\n"
    let complaint = MemoryLimit(physicalBytes: 1, limits: limits).complaint
    #expect((complaint != nil) == isTooFew)
    #expect(complaint?.contains("is \(bytes) bytes: give 201326592 or more") != false)
    #expect(MemoryLimit(physicalBytes: 1).complaint == nil)
  }
}

/// The blocks that are worth large pages, by what Linux says of a process' memory.
@Suite struct LargePagesTests {
  /// One mapping: from and to in pages of 2 MiB, resident in KiB.
  private func mapping(
    _ pages: Range<Int>, resident: Int, _ rest: String = "rw-p 00000000 00:00 0"
  ) -> String {
    let (first, end) = (pages.lowerBound * 2_097_152, pages.upperBound * 2_097_152)
    return """
      \(String(first, radix: 16))-\(String(end, radix: 16)) \(rest)
      Size:            \((end - first) / 1024) kB
      Rss:             \(resident) kB
      VmFlags: rd wr mr mw me ac

      """
  }

  private func pages(_ maps: String) -> [Range<UInt>] {
    LargePages.blocks(in: maps).map { $0.lowerBound / 2_097_152..<$0.upperBound / 2_097_152 }
  }

  @Test func largeFullPrivateBlocksAreTaken() {
    let full = 10 * 2_048
    #expect(pages(mapping(100..<110, resident: full)) == [100..<110])
    #expect(pages(mapping(100..<110, resident: full * 9 / 10 + 1)) == [100..<110])
    #expect(pages(mapping(100..<110, resident: full / 2)).isEmpty, "holes would be filled")
    #expect(pages(mapping(100..<107, resident: full)).isEmpty, "too small")
    for other in [
      "r--p 00000000 00:00 0", "rw-s 00000000 00:00 0", "rw-p 00000000 08:01 1234  /usr/lib/x.so",
      "rw-p 00000000 00:00 0                          [heap]",
    ] {
      #expect(pages(mapping(100..<110, resident: full, other)).isEmpty, "\(other)")
    }
  }

  /// A block begins and ends where the C library puts it.
  @Test func onlyWholePagesAreTaken() {
    let maps = "4001000-6fff000 rw-p 00000000 00:00 0\nRss: 49144 kB\n"
    #expect(LargePages.blocks(in: maps) == [0x4200000..<0x6e00000])
    #expect(LargePages.blocks(in: "nonsense\n1-2-3 rw-p 0 0 0\nRss: x kB\n").isEmpty)
    #expect(LargePages.blocks(in: "").isEmpty)
  }

  /// The system may refuse; nothing is lost by it.
  @Test func memoryKeepsWhatItHolds() {
    let numbers = Array(0..<4_000_000)
    LargePages.adopt()
    #expect(numbers.last == 3_999_999 && numbers[2_000_000] == 2_000_000)
  }
}
