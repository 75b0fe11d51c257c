extension ResponseWriter {
  /// Appends the answer to SetBudget.
  public func appendSetBudget(
    _ result: SetBudgetResponse, callID: UInt64, to buffer: inout [UInt8]
  ) {
    _ = appendFrame(callID: callID, to: &buffer) { bytes in
      bytes.appendMessage(MethodName.setBudget.rawValue) { bytes in
        result.change.append(as: 1, to: &bytes)
        bytes.appendText(2, result.before)
      }
    }
  }

  /// Appends the answer to ClearBudget: the changes that cleared something.
  public func appendClearBudget(
    _ changes: [BudgetOverride], callID: UInt64, to buffer: inout [UInt8]
  ) {
    _ = appendFrame(callID: callID, to: &buffer) { bytes in
      bytes.appendMessage(MethodName.clearBudget.rawValue) { bytes in
        for change in changes { change.append(as: 1, to: &bytes) }
      }
    }
  }

  /// Appends the answer to ResetBudget.
  public func appendResetBudget(
    _ result: ResetBudgetResponse, callID: UInt64, to buffer: inout [UInt8]
  ) {
    _ = appendFrame(callID: callID, to: &buffer) { bytes in
      bytes.appendMessage(MethodName.resetBudget.rawValue) { bytes in
        result.change.append(as: 1, to: &bytes)
        bytes.appendDouble(2, result.spendUSD)
      }
    }
  }

  /// Appends the answer to ListChanges.
  ///
  /// Returns whether it fitted a frame; where not, FAILED_PRECONDITION was appended in its place.
  @discardableResult
  public func appendChanges(
    _ result: ListChangesResponse, callID: UInt64, to buffer: inout [UInt8]
  ) -> Bool {
    appendFrame(callID: callID, to: &buffer) { bytes in
      bytes.appendMessage(MethodName.listChanges.rawValue) { bytes in
        for line in result.lines { line.append(as: 1, to: &bytes) }
        bytes.appendText(2, result.nextPageToken)
        for change in result.inForce { change.append(as: 3, to: &bytes) }
      }
    }
  }

  /// Appends the answer to ReloadConfig.
  ///
  /// Returns whether it fitted a frame; where not, FAILED_PRECONDITION was appended in its place.
  @discardableResult
  public func appendReloadConfig(
    _ result: ReloadConfigResponse, callID: UInt64, to buffer: inout [UInt8]
  ) -> Bool {
    appendFrame(callID: callID, to: &buffer) { bytes in
      bytes.appendMessage(MethodName.reloadConfig.rawValue) { bytes in
        for change in result.changes { bytes.appendEntry(1, change) }
        bytes.appendInteger(2, UInt64(result.changesOmitted))
        for warning in result.warnings { bytes.appendEntry(3, warning) }
      }
    }
  }
}
