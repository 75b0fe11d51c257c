/// The release that all of this is part of: one number for the server and its tools.
public enum ReleaseVersion {
  /// The version as people write it.
  public static let text = "0.9.1"
}
