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
