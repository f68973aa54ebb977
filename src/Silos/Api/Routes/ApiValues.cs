using System.Globalization;
using EmrMarket.Contracts.Ethereum;
using EmrMarket.Silos.Api.Problems;

namespace EmrMarket.Silos.Api.Routes;

/// <summary>Values of paths and queries, checked before any grain is asked: a key of the wrong form would make a grain of its
/// own.</summary>
internal static class ApiValues
{
    /// <summary>64 lower-case hexadecimal digits.</summary>
    /// <exception cref="ApiException"><see cref="ProblemType.MalformedHash"/>.</exception>
    public static string Hash(string? text, string name) => text is { Length: 64 } && text.All(char.IsAsciiHexDigitLower) ? text
        : throw new ApiException(ProblemType.MalformedHash, $"{name} has 64 lower-case hexadecimal digits");

    /// <summary>A number from 0 to a bound.</summary>
    /// <exception cref="ApiException"><see cref="ProblemType.InvalidValue"/>.</exception>
    public static ulong Number(string? text, string name, ulong most) =>
        ulong.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out ulong number) && number <= most ? number
        : throw new ApiException(ProblemType.InvalidValue, $"{name} is a whole number from 0 to {most}");

    /// <summary>An address, lower case.</summary>
    /// <exception cref="ApiException"><see cref="ProblemType.MalformedAddress"/>.</exception>
    public static Address Address(string? text)
    {
        try
        {
            return Contracts.Ethereum.Address.Parse(text ?? "");
        }
        catch (FormatException)
        {
            throw new ApiException(ProblemType.MalformedAddress,
                "an address is 0x and 40 hexadecimal digits, in one case or with the capitals of EIP-55");
        }
    }

    /// <summary>The address of a session that has one.</summary>
    public static string AddressOf(HttpContext context) =>
        Access.Session.Require(context).Address ?? throw new ApiException(ProblemType.Forbidden, "this session has no address");
}
