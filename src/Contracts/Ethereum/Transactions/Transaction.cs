using System.Numerics;
using EmrMarket.Contracts.Ethereum.Signing;

namespace EmrMarket.Contracts.Ethereum.Transactions;

/// <summary>What a transaction pays for gas, in wei.</summary>
public abstract record GasPrice
{
    private GasPrice()
    {
    }

    /// <summary>One price, for chains from before the London fork.</summary>
    /// <param name="WeiPerGas">The price.</param>
    public sealed record Fixed(BigInteger WeiPerGas) : GasPrice;

    /// <summary>The two bounds of EIP-1559.</summary>
    /// <param name="MaxPriorityFeePerGas">The most that goes to the block's producer.</param>
    /// <param name="MaxFeePerGas">The most that is paid in all; at least the base fee of the block.</param>
    public sealed record Dynamic(BigInteger MaxPriorityFeePerGas, BigInteger MaxFeePerGas) : GasPrice;
}

/// <summary>A transaction before it is signed.</summary>
/// <param name="ChainId">The chain; part of what is signed (EIP-155, EIP-1559), so that no other chain takes it.</param>
/// <param name="Nonce">The account's transactions before this one.</param>
/// <param name="GasPrice">What it pays, which also decides the transaction's type.</param>
/// <param name="GasLimit">The most gas it may use.</param>
/// <param name="To">The receiver; null creates a contract from the data.</param>
/// <param name="Value">Wei that go along.</param>
/// <param name="Data">The call's data.</param>
public sealed record Transaction(
    ulong ChainId, ulong Nonce, GasPrice GasPrice, ulong GasLimit, Address? To, BigInteger Value, ReadOnlyMemory<byte> Data)
{
    private const byte DynamicFeeType = 2;

    /// <summary>Signs with the account's key.</summary>
    /// <exception cref="ArgumentOutOfRangeException">A negative amount, one above 2^256 - 1, or a priority fee above the fee.</exception>
    public SignedTransaction Sign(EthereumAccount account)
    {
        ArgumentNullException.ThrowIfNull(account);
        Check(Value, "the value");
        byte[] to = To is { } address ? Rlp.Bytes(address.ToArray()) : Rlp.Bytes([]);
        byte[] raw;
        if (GasPrice is GasPrice.Dynamic price)
        {
            Check(price.MaxFeePerGas, "the fee");
            Check(price.MaxPriorityFeePerGas, "the priority fee");
            Check(price.MaxFeePerGas - price.MaxPriorityFeePerGas, "the fee less the priority fee");
            byte[][] fields =
            [
                Rlp.Integer(ChainId), Rlp.Integer(Nonce), Rlp.Integer(price.MaxPriorityFeePerGas), Rlp.Integer(price.MaxFeePerGas),
                Rlp.Integer(GasLimit), to, Rlp.Integer(Value), Rlp.Bytes(Data.Span), Rlp.List(),
            ];
            Signature signature = account.Sign(Keccak256.Hash([DynamicFeeType, .. Rlp.List(fields)]));
            raw = [DynamicFeeType, .. Rlp.List([.. fields, Rlp.Integer(signature.YParity), .. Scalars(signature)])];
        }
        else
        {
            BigInteger weiPerGas = ((GasPrice.Fixed)GasPrice).WeiPerGas;
            Check(weiPerGas, "the gas price");
            byte[][] fields =
                [Rlp.Integer(Nonce), Rlp.Integer(weiPerGas), Rlp.Integer(GasLimit), to, Rlp.Integer(Value), Rlp.Bytes(Data.Span)];
            Signature signature = account.Sign(Keccak256.Hash(Rlp.List([.. fields, Rlp.Integer(ChainId), Rlp.Integer(0), Rlp.Integer(0)])));

            // EIP-155: v carries the chain id beside the parity.
            raw = Rlp.List([.. fields, Rlp.Integer(((BigInteger)ChainId * 2) + 35 + signature.YParity), .. Scalars(signature)]);
        }

        return new SignedTransaction(Nonce, Keccak256.Hash(raw), raw);
    }

    private static byte[][] Scalars(Signature signature) =>
        [Rlp.Integer(Signature.ToInteger(signature.R)), Rlp.Integer(Signature.ToInteger(signature.S))];

    private static void Check(BigInteger wei, string what)
    {
        if (wei.Sign < 0 || wei.GetByteCount(isUnsigned: true) > 32)
        {
            throw new ArgumentOutOfRangeException(nameof(wei), wei, $"{what} lies between 0 and 2^256 - 1 wei");
        }
    }
}

/// <summary>A signed transaction as it is sent, and sent again with the very same bytes.</summary>
/// <param name="Nonce">Its place among the account's transactions.</param>
/// <param name="Hash">The hash under which nodes know it.</param>
/// <param name="Raw">The bytes to send.</param>
public sealed record SignedTransaction(ulong Nonce, Bytes32 Hash, ReadOnlyMemory<byte> Raw);
