using System.Numerics;
using EmrMarket.Contracts.Ethereum.Abi;

namespace EmrMarket.Contracts.Ethereum;

/// <summary>A contract refused a call. Derived types are the custom errors of the project's contracts, with their arguments.</summary>
public class ContractRevertException : EthereumException
{
    private static readonly AbiError Reason = new("Error(string)");
    private static readonly AbiError Panic = new("Panic(uint256)");

    /// <summary>Makes the exception of an error with its sentence.</summary>
    public ContractRevertException(string message, ReadOnlyMemory<byte> revertData)
        : base(message) => RevertData = revertData;

    /// <summary>The selector and arguments of the error as the contract gave them; empty where it gave none.</summary>
    public ReadOnlyMemory<byte> RevertData { get; }

    /// <summary>The exception of any revert data: Solidity's own two errors are put in words, others are named by their selector.</summary>
    public static ContractRevertException FromData(ReadOnlyMemory<byte> data)
    {
        ReadOnlySpan<byte> bytes = data.Span;
        try
        {
            if (bytes.StartsWith(Reason.Selector))
            {
                return new ContractRevertException($"the contract refused: {Hex.Excerpt((string)Reason.Decode(bytes)[0])}", data);
            }

            if (bytes.StartsWith(Panic.Selector))
            {
                return new ContractRevertException($"the contract panicked: {PanicReason((BigInteger)Panic.Decode(bytes)[0])}", data);
            }
        }
        catch (AbiException)
        {
            // Damaged arguments behind a known selector: the bytes themselves say most.
        }

        return new ContractRevertException(
            bytes.IsEmpty ? "the contract refused without a reason: wrong address, wrong function, or out of gas"
                : $"the contract refused with error {Hex.Encode(bytes[..Math.Min(bytes.Length, 4)])} and {Math.Max(bytes.Length - 4, 0)} "
                    + "bytes of arguments",
            data);
    }

    // Codes: https://docs.soliditylang.org/en/latest/control-structures.html#panic-via-assert-and-error-via-require
    private static string PanicReason(BigInteger code) => code <= byte.MaxValue ? (byte)code switch
    {
        0x01 => "an assertion failed",
        0x11 => "arithmetic went out of range",
        0x12 => "division by zero",
        0x21 => "a number that is no member of its enumeration",
        0x22 => "a storage byte array is encoded wrongly",
        0x31 => "pop of an empty array",
        0x32 => "an index outside its array",
        0x41 => "too much memory",
        0x51 => "a call of an unset function",
        _ => $"code {code}",
    } : $"code {code}";
}
