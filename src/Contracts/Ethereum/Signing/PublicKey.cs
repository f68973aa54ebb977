using System.Buffers.Binary;

namespace EmrMarket.Contracts.Ethereum.Signing;

/// <summary>A public key of secp256k1 (SEC 2, 2.4.1).</summary>
public sealed class PublicKey : IEquatable<PublicKey>
{
    /// <summary>Length of a key in its compressed form, bytes.</summary>
    public const int Length = 33;

    private readonly AffinePoint _point;

    /// <summary>Reads the compressed form of SEC 1, 2.3.4.</summary>
    /// <param name="compressed">2 for an even y or 3 for an odd one, then the 32 bytes of x.</param>
    /// <exception cref="ArgumentException">No point of the curve.</exception>
    public PublicKey(ReadOnlySpan<byte> compressed) => _point = Secp256k1.Decode(compressed);

    private PublicKey(AffinePoint point) => _point = point;

    /// <summary>The address that the key controls.</summary>
    public Address Address => Secp256k1.AddressOf(_point);

    /// <summary>The key of a private key.</summary>
    /// <exception cref="ArgumentException">Not a scalar between 1 and the group order minus 1.</exception>
    public static PublicKey Of(ReadOnlySpan<byte> privateKey) => Secp256k1.IsPrivateKey(privateKey)
        ? new(Secp256k1.PointOf(privateKey.ToArray()))
        : throw new ArgumentException(
            "a private key has 32 bytes and lies between 1 and the order of secp256k1 minus 1", nameof(privateKey));

    /// <summary>
    /// The addresses of child keys, parent + tweak * generator, as BIP-32 derives them from public keys: the child's private key is the
    /// parent's plus the tweak, modulo the group order.
    /// </summary>
    /// <param name="parents">The parent of each child.</param>
    /// <param name="tweaks">The tweak of each child: 32 bytes, a scalar between 1 and the group order minus 1.</param>
    /// <returns>The addresses; null where parent and tweak cancel out, which nobody meets who did not choose them to.</returns>
    /// <exception cref="ArgumentException">A tweak out of range, or not as many tweaks as parents.</exception>
    public static Address?[] ChildAddresses(IReadOnlyList<PublicKey> parents, IReadOnlyList<byte[]> tweaks)
    {
        ArgumentNullException.ThrowIfNull(parents);
        ArgumentNullException.ThrowIfNull(tweaks);
        if (parents.Count != tweaks.Count || !tweaks.All(tweak => Secp256k1.IsPrivateKey(tweak)))
        {
            throw new ArgumentException(
                $"expected a tweak between 1 and the order of secp256k1 minus 1 for each of {parents.Count} keys, got {tweaks.Count}",
                nameof(tweaks));
        }

        return Secp256k1.AddressesOf([.. parents.Select(parent => parent._point)], tweaks);
    }

    /// <summary>The compressed form.</summary>
    public byte[] ToArray()
    {
        byte[] compressed = new byte[Length];
        Span<byte> y = stackalloc byte[FieldElement.Length];
        _point.X.Write(compressed.AsSpan(1));
        _point.Y.Write(y);
        compressed[0] = (byte)(2 + (y[^1] & 1));
        return compressed;
    }

    /// <inheritdoc/>
    public bool Equals(PublicKey? other) => other is not null && _point == other._point;

    /// <inheritdoc/>
    public override bool Equals(object? obj) => Equals(obj as PublicKey);

    /// <inheritdoc/>
    public override int GetHashCode() => BinaryPrimitives.ReadInt32LittleEndian(ToArray().AsSpan(1));
}
