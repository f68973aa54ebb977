using EmrMarket.Contracts.Ethereum;
using EmrMarket.Contracts.Ethereum.Signing;

namespace EmrMarket.Grains.Site;

/// <summary>
/// What a patient hands to the site in place of a seed: the public key of the account and its chain code. The site finds with it the
/// addresses of every epoch to come, and no key of any of them (docs/WIRE.md, "Patients' keys").
/// </summary>
public sealed class PayoutAccount : IEquatable<PayoutAccount>
{
    private readonly byte[] _chainCode;

    /// <summary>An account.</summary>
    /// <param name="key">The account's public key.</param>
    /// <param name="chainCode">The chain code, <see cref="PatientKeys.Length"/> bytes: with it and one child's private key the account's
    /// own private key can be computed.</param>
    /// <exception cref="ArgumentException">The chain code has another length.</exception>
    public PayoutAccount(PublicKey key, ReadOnlySpan<byte> chainCode)
    {
        ArgumentNullException.ThrowIfNull(key);
        if (chainCode.Length != PatientKeys.Length)
        {
            throw new ArgumentException($"a chain code has {PatientKeys.Length} bytes, got {chainCode.Length}", nameof(chainCode));
        }

        (Key, _chainCode) = (key, chainCode.ToArray());
    }

    /// <summary>The public key.</summary>
    public PublicKey Key { get; }

    /// <summary>The chain code.</summary>
    public ReadOnlySpan<byte> ChainCode => _chainCode;

    /// <summary>The account of a seed.</summary>
    /// <param name="seed">The patient's seed.</param>
    public static PayoutAccount Of(ReadOnlySpan<byte> seed) => new(PublicKey.Of(PatientKeys.Account(seed)), PatientKeys.ChainCode(seed));

    /// <summary>The address that commands a pseudonym.</summary>
    /// <param name="pseudonym">The pseudonym.</param>
    public Address Controller(Bytes32 pseudonym) => Addresses([Key], [PatientKeys.ControllerTweak(_chainCode, pseudonym)])[0];

    /// <summary>A payout address.</summary>
    /// <param name="pseudonym">The pseudonym that is paid.</param>
    /// <param name="epoch">The epoch.</param>
    /// <param name="index">The index in the epoch's payout tree.</param>
    public Address Payout(Bytes32 pseudonym, uint epoch, uint index) =>
        Addresses([Key], [PatientKeys.PayoutTweak(_chainCode, pseudonym, epoch, index)])[0];

    /// <summary>The addresses of children of many accounts, several times faster than one by one. A patient who chose an account that a
    /// tweak cancels gets the account's own address, and stops nobody's epoch.</summary>
    internal static Address[] Addresses(IReadOnlyList<PublicKey> accounts, IReadOnlyList<byte[]> tweaks) =>
        [.. PublicKey.ChildAddresses(accounts, tweaks).Select((address, i) => address ?? accounts[i].Address)];

    /// <inheritdoc/>
    public bool Equals(PayoutAccount? other) =>
        other is not null && Key.Equals(other.Key) && _chainCode.AsSpan().SequenceEqual(other._chainCode);

    /// <inheritdoc/>
    public override bool Equals(object? obj) => Equals(obj as PayoutAccount);

    /// <inheritdoc/>
    public override int GetHashCode() => Key.GetHashCode();
}
