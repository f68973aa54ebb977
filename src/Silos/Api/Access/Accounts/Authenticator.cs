using System.Buffers.Binary;
using System.Globalization;
using System.Security.Cryptography;
using Microsoft.AspNetCore.Identity;

namespace EmrMarket.Silos.Api.Access.Accounts;

/// <summary>Time-based codes of six digits and thirty seconds (RFC 6238), each good for one session: Identity's own provider takes a code
/// again for as long as it is valid.</summary>
internal sealed class Authenticator(TimeProvider clock) : IUserTwoFactorTokenProvider<Account>
{
    /// <summary>The provider's name.</summary>
    public const string Name = "authenticator";

    private const int StepSeconds = 30;
    private const int Modulus = 1_000_000;

    // A clock may be a step off on either side (RFC 6238, 5.2).
    private const int Tolerance = 1;
    private const string Base32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

    /// <summary>The code of a key at a time step.</summary>
    /// <param name="key">Base 32, RFC 4648, without padding.</param>
    /// <param name="step">Unix seconds divided by thirty.</param>
    public static string Code(string key, long step)
    {
        Span<byte> counter = stackalloc byte[8];
        BinaryPrimitives.WriteInt64BigEndian(counter, step);
        // HMAC-SHA-1 is what authenticator programs compute; its weakness is in collisions, which do not matter here (RFC 6238, appendix
        // B).
#pragma warning disable CA5350
        byte[] mac = HMACSHA1.HashData(Bytes(key), counter);
#pragma warning restore CA5350
        int value = BinaryPrimitives.ReadInt32BigEndian(mac.AsSpan(mac[^1] & 0xf)) & int.MaxValue;
        return (value % Modulus).ToString("D6", CultureInfo.InvariantCulture);
    }

    /// <summary>The address by which authenticator programs take a key (a QR code's text).</summary>
    public static string Uri(string account, string key) =>
        $"otpauth://totp/EmrMarket:{System.Uri.EscapeDataString(account)}?secret={key}&issuer=EmrMarket&digits=6&period=30";

    /// <inheritdoc/>
    public Task<bool> CanGenerateTwoFactorTokenAsync(UserManager<Account> manager, Account user) =>
        Task.FromResult(user.AuthenticatorKey.Length > 0);

    /// <inheritdoc/>
    public Task<string> GenerateAsync(string purpose, UserManager<Account> manager, Account user) =>
        throw new NotSupportedException("codes are made by the account's authenticator");

    /// <inheritdoc/>
    public Task<bool> ValidateAsync(string purpose, string token, UserManager<Account> manager, Account user)
    {
        long now = clock.GetUtcNow().ToUnixTimeSeconds() / StepSeconds;
        for (long step = Math.Max(now - Tolerance, user.LastCodeStep + 1); step <= now + Tolerance; step++)
        {
            if (string.Equals(Code(user.AuthenticatorKey, step), token, StringComparison.Ordinal))
            {
                user.LastCodeStep = step;
                return Task.FromResult(true);
            }
        }

        return Task.FromResult(false);
    }

    private static byte[] Bytes(string key)
    {
        List<byte> bytes = new(key.Length * 5 / 8);
        (int buffer, int bits) = (0, 0);
        foreach (char letter in key)
        {
            buffer = ((buffer << 5) | Base32.IndexOf(letter, StringComparison.Ordinal)) & 0xfff;
            bits += 5;
            if (bits >= 8)
            {
                bits -= 8;
                bytes.Add((byte)(buffer >> bits));
            }
        }

        return [.. bytes];
    }
}
