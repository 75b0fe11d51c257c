import ArgumentParser
import BudgetServer

/// Who may do what.
struct AccessArguments: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Who may do what, for its owner's eyes only; without it everybody may do everything.",
      valueName: "file"))
  var accessFile: String?

  @Flag(help: "With an access file: metrics are everybody's all the same.")
  var metricsOpen = false

  @Flag(help: "With an access file: the other pages are everybody's all the same.")
  var pageOpen = false

  func validate() throws {
    for (name, isOpen) in [("metrics-open", metricsOpen), ("page-open", pageOpen)]
    where isOpen && accessFile == nil {
      throw ValidationError(
        "--\(name) says who may see pages without --access-file: leave it out, everybody may")
    }
  }

  /// Sets the server's options.
  func apply(to options: inout ServerOptions) {
    options.accessFilePath = accessFile
    options.isMetricsOpen = metricsOpen
    options.arePagesOpen = pageOpen
  }
}
