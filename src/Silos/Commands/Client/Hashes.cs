using EmrMarket.Contracts.Ethereum;

namespace EmrMarket.Silos.Commands.Client;

/// <summary>Hashes and ids as people type them: 64 hexadecimal digits, with or without 0x.</summary>
internal static class Hashes
{
    /// <summary>Reads one.</summary>
    /// <exception cref="CommandException">It is none.</exception>
    public static Bytes32 Parse(string text, string what)
    {
        string digits = text.StartsWith("0x", StringComparison.OrdinalIgnoreCase) ? text[2..] : text;
        return digits.Length == 64 && digits.All(char.IsAsciiHexDigit) ? Bytes32.ParseDigits(digits)
            : throw new CommandException(ExitCode.Usage, $"{what} has 64 hexadecimal digits, got {digits.Length} characters");
    }

    /// <summary>Writes one.</summary>
    public static string Text(Bytes32 hash) => hash.ToDigits();
}
